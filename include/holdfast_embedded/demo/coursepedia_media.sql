-- The uploaded files that the course platform refers to, by their path below its storage folder.

CREATE TABLE media_files (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    path text NOT NULL UNIQUE,
    kind text NOT NULL CHECK (kind IN ('cover', 'syllabus', 'notes', 'certificate')),
    entity_id bigint NOT NULL,
    caption text NOT NULL,
    uploaded_at timestamptz NOT NULL
);

INSERT INTO media_files (path, kind, entity_id, caption, uploaded_at)
SELECT format('courses/%s/%s', slug, name), kind, id, title, timestamptz '2024-02-01 09:00+00' + id * interval '11 days'
FROM courses, (VALUES ('cover.png', 'cover'), ('syllabus.pdf', 'syllabus')) AS files (name, kind)
UNION ALL
SELECT
    format('courses/%s/lessons/%s notes.txt', c.slug, to_char(l.position, 'FM00')), 'notes', l.id, l.title,
    timestamptz '2024-02-02 09:00+00' + l.id * interval '1 day'
FROM lessons AS l JOIN courses AS c ON c.id = l.course_id
WHERE l.position <= 3
UNION ALL
SELECT format('certificates/%s.png', code), 'certificate', id, qr_url, issued_at FROM certificates
ORDER BY 2, 3;

COMMENT ON TABLE media_files IS 'A row without its file is a broken page: back both up together';

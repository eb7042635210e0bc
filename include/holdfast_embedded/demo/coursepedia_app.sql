-- What the application of the demo keeps for itself: its schema version, passwords, QR images and totals of courses.

CREATE TABLE schema_migrations (
    version text PRIMARY KEY,
    applied_at timestamptz NOT NULL
);

INSERT INTO schema_migrations (version, applied_at)
VALUES
    ('0001_courses_and_orders', '2024-01-05 09:00+00'),
    ('0002_media_files', '2024-01-19 09:00+00'),
    ('0003_passwords', '2025-03-03 09:00+00'),
    ('0004_certificate_qr', '2025-04-14 09:00+00'),
    ('0005_course_totals', '2025-06-02 09:00+00');

-- No password opens these accounts, but for the one learner's that the application's check logs in with.
ALTER TABLE users ADD COLUMN password_hash text;
UPDATE users SET password_hash = CASE id
    WHEN 14 THEN 'scrypt$16384$8$1$Y291cnNlcGVkaWEtMDAxNA==$vGL3i29bSkz4LBheULRal55zMXQ8GU99oQ/4fICfXQA='
    ELSE format(
        'scrypt$16384$8$1$%s$%s',
        encode(decode(md5('salt' || id), 'hex'), 'base64'), encode(sha256(('no password ' || id)::bytea), 'base64')
    )
END;
ALTER TABLE users ALTER COLUMN password_hash SET NOT NULL;

ALTER TABLE certificates ADD COLUMN qr_path text;
UPDATE certificates SET qr_path = format('qr/%s.png', code);
ALTER TABLE certificates ALTER COLUMN qr_path SET NOT NULL;

ALTER TABLE media_files
    DROP CONSTRAINT media_files_kind_check,
    ADD CONSTRAINT media_files_kind_check CHECK (kind IN ('cover', 'syllabus', 'notes', 'certificate', 'qr'));
INSERT INTO media_files (path, kind, entity_id, caption, uploaded_at)
SELECT qr_path, 'qr', id, qr_url, issued_at FROM certificates
ORDER BY id;

-- Derived from enrollments and orders by a job of the application. It last ran before the newest of them came, so that
-- after a restore there is something to bring up to date.
CREATE TABLE course_totals (
    course_id bigint PRIMARY KEY REFERENCES courses (id),
    enrolled integer NOT NULL,
    completed integer NOT NULL,
    revenue_cents bigint NOT NULL
);

INSERT INTO course_totals (course_id, enrolled, completed, revenue_cents)
SELECT
    c.id,
    (SELECT count(*) FROM enrollments AS e WHERE e.course_id = c.id AND e.status <> 'cancelled' AND e.enrolled_at < job.at),
    (SELECT count(*) FROM enrollments AS e WHERE e.course_id = c.id AND e.completed_at < job.at),
    (
        SELECT coalesce(sum(o.total_cents), 0) FROM orders AS o
        WHERE o.course_id = c.id AND o.status = 'paid' AND o.created_at < job.at
    )
FROM courses AS c, (VALUES (timestamptz '2025-07-20 03:00+00')) AS job (at)
ORDER BY c.id;

COMMENT ON TABLE course_totals IS 'Derived: pnpm db:reconcile computes it anew';

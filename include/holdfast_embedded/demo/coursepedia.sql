-- A small course platform: the same rows every time, and every kind of object that a restore must bring back.

CREATE TYPE user_role AS ENUM ('learner', 'instructor', 'admin');
CREATE TYPE course_level AS ENUM ('beginner', 'intermediate', 'advanced');
CREATE TYPE enrollment_status AS ENUM ('active', 'completed', 'cancelled');
CREATE TYPE order_status AS ENUM ('pending', 'paid', 'refunded', 'failed');
CREATE TYPE payment_status AS ENUM ('authorized', 'captured', 'refunded', 'declined');

CREATE TABLE users (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    email text NOT NULL UNIQUE,
    display_name text NOT NULL,
    role user_role NOT NULL DEFAULT 'learner',
    locale text NOT NULL DEFAULT 'en',
    settings jsonb NOT NULL DEFAULT '{}',
    created_at timestamptz NOT NULL,
    deleted_at timestamptz
);

CREATE TABLE courses (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    slug text NOT NULL UNIQUE,
    title text NOT NULL,
    level course_level NOT NULL,
    instructor_id bigint NOT NULL REFERENCES users (id),
    price_cents integer NOT NULL CHECK (price_cents >= 0),
    outline jsonb NOT NULL,
    published_at timestamptz
);

CREATE TABLE lessons (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    course_id bigint NOT NULL REFERENCES courses (id) ON DELETE CASCADE,
    position smallint NOT NULL,
    title text NOT NULL,
    body text NOT NULL,
    duration interval NOT NULL,
    UNIQUE (course_id, position)
);

CREATE TABLE enrollments (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    user_id bigint NOT NULL REFERENCES users (id),
    course_id bigint NOT NULL REFERENCES courses (id),
    status enrollment_status NOT NULL,
    enrolled_at timestamptz NOT NULL,
    completed_at timestamptz,
    UNIQUE (user_id, course_id),
    CHECK ((status = 'completed') = (completed_at IS NOT NULL))
);

CREATE TABLE lesson_progress (
    enrollment_id bigint NOT NULL REFERENCES enrollments (id) ON DELETE CASCADE,
    lesson_id bigint NOT NULL REFERENCES lessons (id),
    seconds_watched integer NOT NULL,
    finished_at timestamptz,
    PRIMARY KEY (enrollment_id, lesson_id)
);

CREATE SEQUENCE order_number_seq START 100001;

CREATE TABLE orders (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    number text NOT NULL UNIQUE DEFAULT 'CP-' || nextval('order_number_seq'),
    user_id bigint NOT NULL REFERENCES users (id),
    course_id bigint NOT NULL REFERENCES courses (id),
    status order_status NOT NULL,
    total_cents integer NOT NULL,
    currency char(3) NOT NULL DEFAULT 'EUR',
    created_at timestamptz NOT NULL
);

CREATE TABLE payments (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    order_id bigint NOT NULL REFERENCES orders (id),
    status payment_status NOT NULL,
    amount_cents integer NOT NULL,
    provider_reference text NOT NULL UNIQUE,
    provider_event jsonb NOT NULL,
    created_at timestamptz NOT NULL
);

CREATE TABLE certificates (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    enrollment_id bigint NOT NULL UNIQUE REFERENCES enrollments (id),
    code text NOT NULL UNIQUE CHECK (code ~ '^CP-[0-9A-F]{4}-[0-9A-F]{4}$'),
    qr_url text NOT NULL,
    issued_at timestamptz NOT NULL,
    revoked_at timestamptz
);

CREATE TABLE email_templates (
    key text NOT NULL,
    locale text NOT NULL,
    subject text NOT NULL,
    body_html text NOT NULL,
    variables text[] NOT NULL,
    updated_at timestamptz NOT NULL,
    PRIMARY KEY (key, locale)
);

CREATE TABLE audit_log (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    actor_id bigint REFERENCES users (id),
    action text NOT NULL,
    entity text NOT NULL,
    entity_id bigint NOT NULL,
    details jsonb NOT NULL,
    at timestamptz NOT NULL
);

INSERT INTO users (email, display_name, role, locale, settings, created_at, deleted_at)
SELECT
    format('user%s@example.org', to_char(n, 'FM0000')),
    CASE WHEN n = 1 THEN 'Administrator' WHEN n <= 13 THEN 'Instructor ' || n ELSE 'Learner ' || n END,
    (CASE WHEN n = 1 THEN 'admin' WHEN n <= 13 THEN 'instructor' ELSE 'learner' END)::user_role,
    (ARRAY['en', 'de', 'fr', 'hi'])[1 + n % 4],
    jsonb_build_object('newsletter', n % 3 = 0, 'theme', CASE n % 2 WHEN 0 THEN 'dark' ELSE 'light' END),
    timestamptz '2024-01-08 08:00+00' + n * interval '31 hours',
    CASE WHEN n % 97 = 0 THEN timestamptz '2026-03-01 12:00+00' + n * interval '1 hour' END
FROM generate_series(1, 400) AS n;

INSERT INTO courses (slug, title, level, instructor_id, price_cents, outline, published_at)
SELECT
    'course-' || n,
    (ARRAY['Statistics', 'Watercolour', 'Carpentry', 'Astronomy', 'Bookkeeping', 'Baking', 'Café French', 'हिन्दी'])[1 + n % 8]
        || ' ' || (1 + n / 8),
    (enum_range(NULL::course_level))[1 + n % 3],
    2 + n % 12,
    1900 + 500 * (n % 7),
    jsonb_build_object('goals', jsonb_build_array('know', 'practise', 'prove'), 'hours', 4 + n % 9),
    CASE WHEN n % 12 <> 0 THEN timestamptz '2024-02-01 09:00+00' + n * interval '11 days' END
FROM generate_series(1, 24) AS n;

INSERT INTO lessons (course_id, position, title, body, duration)
SELECT
    c.id, p, format('Lesson %s of %s', p, c.title),
    repeat(format('Paragraph on %s, part %s. ', c.title, md5(c.slug || p)), 6),
    make_interval(mins => 8 + (c.id * p % 23)::integer)
FROM courses AS c, generate_series(1, 10) AS p
ORDER BY c.id, p;

INSERT INTO enrollments (user_id, course_id, status, enrolled_at, completed_at)
SELECT
    user_id, course_id, status, enrolled_at,
    CASE WHEN status = 'completed' THEN enrolled_at + interval '47 days' END
FROM (
    SELECT
        u.id AS user_id, c.id AS course_id,
        (CASE (u.id + 3 * c.id) % 5 WHEN 0 THEN 'completed' WHEN 1 THEN 'completed' WHEN 4 THEN 'cancelled' ELSE 'active' END)
            ::enrollment_status AS status,
        u.created_at + c.id * interval '3 days' AS enrolled_at
    FROM users AS u JOIN courses AS c ON (u.id * 7 + c.id * 13) % 8 = 0
    WHERE u.role = 'learner' AND c.published_at IS NOT NULL
    ORDER BY u.id, c.id
) AS chosen;

INSERT INTO lesson_progress (enrollment_id, lesson_id, seconds_watched, finished_at)
SELECT e.id, l.id, 60 * (3 + (e.id * l.id % 14)::integer), e.enrolled_at + l.position * interval '4 days'
FROM enrollments AS e JOIN lessons AS l USING (course_id)
WHERE e.status = 'completed' OR (e.status = 'active' AND l.position <= 1 + e.id % 6)
ORDER BY e.id, l.id;

INSERT INTO orders (user_id, course_id, status, total_cents, created_at)
SELECT
    e.user_id, e.course_id,
    (CASE WHEN e.status = 'cancelled' THEN 'refunded' WHEN e.id % 41 = 0 THEN 'failed' ELSE 'paid' END)::order_status,
    c.price_cents, e.enrolled_at - interval '5 minutes'
FROM enrollments AS e JOIN courses AS c ON c.id = e.course_id
ORDER BY e.id;

INSERT INTO payments (order_id, status, amount_cents, provider_reference, provider_event, created_at)
SELECT
    o.id, p.status, o.total_cents,
    'pay_' || substr(md5(o.number || p.status), 1, 20),
    jsonb_build_object('type', 'payment.' || p.status, 'order', o.number, 'attempt', 1),
    o.created_at + p.after
FROM orders AS o
JOIN (
    VALUES
        ('paid'::order_status, 'captured'::payment_status, interval '1 minute'),
        ('refunded', 'captured', interval '1 minute'),
        ('refunded', 'refunded', interval '9 days'),
        ('failed', 'declined', interval '1 minute')
) AS p (order_status, status, after) ON p.order_status = o.status
ORDER BY o.id, p.after;

INSERT INTO certificates (enrollment_id, code, qr_url, issued_at, revoked_at)
SELECT
    id, code, 'https://coursepedia.example.org/verify/' || code, completed_at + interval '1 hour',
    CASE WHEN id % 83 = 0 THEN completed_at + interval '30 days' END
FROM (
    SELECT
        id, completed_at,
        format('CP-%s-%s', upper(substr(md5('certificate' || id), 1, 4)), upper(substr(md5('certificate' || id), 5, 4))) AS code
    FROM enrollments WHERE status = 'completed'
) AS earned
ORDER BY id;

INSERT INTO email_templates (key, locale, subject, body_html, variables, updated_at)
SELECT
    key, locale, format('[%s] %s', locale, initcap(replace(key, '_', ' '))),
    format('<p>{{name}}</p><p>%s (%s)</p>', replace(key, '_', ' '), locale),
    ARRAY['name', 'link'], timestamptz '2026-01-15 10:00+00'
FROM unnest(ARRAY['welcome', 'receipt', 'refund', 'certificate_issued', 'password_reset']) AS key,
    unnest(ARRAY['en', 'de', 'fr', 'hi']) AS locale;

INSERT INTO audit_log (actor_id, action, entity, entity_id, details, at)
SELECT user_id, 'order.' || status, 'orders', id, jsonb_build_object('number', number, 'cents', total_cents), created_at
FROM orders
UNION ALL
SELECT 1, 'certificate.issued', 'certificates', id, jsonb_build_object('code', code), issued_at FROM certificates
ORDER BY 6, 4;

CREATE INDEX lesson_progress_lesson ON lesson_progress (lesson_id);
CREATE INDEX audit_log_entity ON audit_log (entity, entity_id);
CREATE INDEX users_living_email ON users (lower(email)) WHERE deleted_at IS NULL;
CREATE INDEX courses_outline ON courses USING gin (outline);

CREATE VIEW course_revenue AS
SELECT c.slug, count(*) AS orders, sum(o.total_cents) AS total_cents
FROM courses AS c JOIN orders AS o ON o.course_id = c.id
WHERE o.status = 'paid'
GROUP BY c.slug;

CREATE FUNCTION certificate_is_valid(wanted text) RETURNS boolean LANGUAGE sql STABLE
RETURN EXISTS (SELECT 1 FROM certificates WHERE code = wanted AND revoked_at IS NULL);

COMMENT ON TABLE certificates IS 'Codes are printed on paper: they must survive every restore';

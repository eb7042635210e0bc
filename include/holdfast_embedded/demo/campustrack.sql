-- A college's attendance register as Prisma lays one out: quoted mixed-case names, cuid-like keys, its migration table.
-- The setting demo.students says how many students there are; all other rows follow from it.

CREATE TYPE "Role" AS ENUM ('ADMIN', 'FACULTY', 'STUDENT');
CREATE TYPE "AttendanceStatus" AS ENUM ('PRESENT', 'ABSENT', 'LATE', 'EXCUSED');

CREATE TABLE "_prisma_migrations" (
    id varchar(36) PRIMARY KEY,
    checksum varchar(64) NOT NULL,
    finished_at timestamptz,
    migration_name varchar(255) NOT NULL,
    logs text,
    rolled_back_at timestamptz,
    started_at timestamptz NOT NULL DEFAULT now(),
    applied_steps_count integer NOT NULL DEFAULT 0
);

CREATE TABLE "User" (
    "id" text NOT NULL,
    "email" text NOT NULL,
    "passwordHash" text NOT NULL,
    "name" text NOT NULL,
    "role" "Role" NOT NULL DEFAULT 'STUDENT',
    "createdAt" timestamp(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "updatedAt" timestamp(3) NOT NULL,
    "deletedAt" timestamp(3),
    CONSTRAINT "User_pkey" PRIMARY KEY ("id")
);

CREATE TABLE "Department" (
    "id" serial NOT NULL,
    "code" text NOT NULL,
    "name" text NOT NULL,
    CONSTRAINT "Department_pkey" PRIMARY KEY ("id")
);

CREATE TABLE "StudentProfile" (
    "id" text NOT NULL,
    "userId" text NOT NULL,
    "rollNumber" text NOT NULL,
    "semester" integer NOT NULL,
    "departmentId" integer NOT NULL,
    CONSTRAINT "StudentProfile_pkey" PRIMARY KEY ("id")
);

CREATE TABLE "FacultyProfile" (
    "id" text NOT NULL,
    "userId" text NOT NULL,
    "employeeCode" text NOT NULL,
    "departmentId" integer NOT NULL,
    CONSTRAINT "FacultyProfile_pkey" PRIMARY KEY ("id")
);

CREATE TABLE "ClassSession" (
    "id" text NOT NULL,
    "departmentId" integer NOT NULL,
    "facultyId" text NOT NULL,
    "subject" text NOT NULL,
    "startsAt" timestamp(3) NOT NULL,
    "meta" jsonb,
    CONSTRAINT "ClassSession_pkey" PRIMARY KEY ("id")
);

CREATE TABLE "AttendanceRecord" (
    "id" text NOT NULL,
    "studentId" text NOT NULL,
    "sessionId" text NOT NULL,
    "status" "AttendanceStatus",
    "markedById" text NOT NULL,
    "createdAt" timestamp(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
    CONSTRAINT "AttendanceRecord_pkey" PRIMARY KEY ("id")
);

-- Prisma's names of constraints and indexes end so.
CREATE UNIQUE INDEX "User_email_key" ON "User" ("email");
CREATE UNIQUE INDEX "Department_code_key" ON "Department" ("code");
CREATE UNIQUE INDEX "StudentProfile_userId_key" ON "StudentProfile" ("userId");
CREATE UNIQUE INDEX "StudentProfile_rollNumber_key" ON "StudentProfile" ("rollNumber");
CREATE UNIQUE INDEX "FacultyProfile_userId_key" ON "FacultyProfile" ("userId");
CREATE UNIQUE INDEX "AttendanceRecord_studentId_sessionId_key" ON "AttendanceRecord" ("studentId", "sessionId");
CREATE INDEX "AttendanceRecord_createdAt_idx" ON "AttendanceRecord" ("createdAt");

INSERT INTO "_prisma_migrations" (id, checksum, finished_at, migration_name, started_at, applied_steps_count)
SELECT
    md5(name)::uuid::text, encode(sha256(name::bytea), 'hex'),
    timestamptz '2025-07-01 10:00:01+00' + n * interval '20 days', name,
    timestamptz '2025-07-01 10:00:00+00' + n * interval '20 days', 1
FROM unnest(ARRAY['20250701100000_init', '20250721100000_add_faculty', '20250810100000_soft_delete_users'])
    WITH ORDINALITY AS migrations (name, n);

INSERT INTO "Department" ("code", "name")
VALUES ('CSE', 'Computer Science'), ('MEC', 'Mechanical Engineering'), ('PHY', 'Physics'), ('LIT', 'Literature');

INSERT INTO "User" ("id", "email", "passwordHash", "name", "role", "createdAt", "updatedAt", "deletedAt")
SELECT
    'c' || substr(md5('user' || n), 1, 24),
    format('%s%s@campus.example.org', lower(role), n),
    'demo$' || md5('not a password' || n),
    initcap(role) || ' ' || n,
    role::"Role",
    timestamp '2025-07-02 09:00' + n * interval '7 minutes',
    timestamp '2025-09-01 09:00' + n * interval '13 minutes',
    CASE WHEN n % 101 = 0 THEN timestamp '2026-01-20 16:30' END
FROM (
    SELECT n, CASE WHEN n = 1 THEN 'ADMIN' WHEN n <= 13 THEN 'FACULTY' ELSE 'STUDENT' END AS role
    FROM generate_series(1, 13 + current_setting('demo.students')::integer) AS n
) AS people;

INSERT INTO "FacultyProfile" ("id", "userId", "employeeCode", "departmentId")
SELECT 'c' || substr(md5('faculty' || "id"), 1, 24), "id", 'F' || (100 + row_number() OVER w), 1 + row_number() OVER w % 4
FROM "User" WHERE "role" = 'FACULTY'
WINDOW w AS (ORDER BY "createdAt");

INSERT INTO "StudentProfile" ("id", "userId", "rollNumber", "semester", "departmentId")
SELECT
    'c' || substr(md5('student' || "id"), 1, 24), "id",
    format('%s-%s', 2022 + row_number() OVER w % 4, to_char(row_number() OVER w, 'FM0000')),
    1 + row_number() OVER w % 8, 1 + row_number() OVER w % 4
FROM "User" WHERE "role" = 'STUDENT'
WINDOW w AS (ORDER BY "createdAt");

INSERT INTO "ClassSession" ("id", "departmentId", "facultyId", "subject", "startsAt", "meta")
SELECT
    'c' || substr(md5(format('session %s %s', f."id", day)), 1, 24), f."departmentId", f."id",
    format('Subject %s', f."employeeCode"), timestamp '2026-01-05 09:00' + day * interval '1 day',
    CASE WHEN day % 5 = 0 THEN jsonb_build_object('room', 'B' || day, 'online', day % 2 = 0) END
FROM "FacultyProfile" AS f, generate_series(0, 9) AS day;

INSERT INTO "AttendanceRecord" ("id", "studentId", "sessionId", "status", "markedById", "createdAt")
SELECT
    'c' || substr(md5(s."id" || c."id"), 1, 24), s."id", c."id",
    (CASE chance WHEN 0 THEN 'ABSENT' WHEN 1 THEN 'LATE' WHEN 2 THEN 'EXCUSED' ELSE 'PRESENT' END)::"AttendanceStatus",
    f."userId", c."startsAt" + interval '50 minutes'
FROM "StudentProfile" AS s
JOIN "ClassSession" AS c USING ("departmentId")
JOIN "FacultyProfile" AS f ON f."id" = c."facultyId"
CROSS JOIN LATERAL (SELECT ('x' || substr(md5(c."id" || s."id"), 1, 4))::bit(16)::integer % 11 AS chance) AS drawn
ORDER BY c."startsAt", s."rollNumber";

ALTER TABLE "StudentProfile"
    ADD CONSTRAINT "StudentProfile_userId_fkey" FOREIGN KEY ("userId") REFERENCES "User" ("id") ON UPDATE CASCADE,
    ADD CONSTRAINT "StudentProfile_departmentId_fkey" FOREIGN KEY ("departmentId") REFERENCES "Department" ("id");
ALTER TABLE "FacultyProfile"
    ADD CONSTRAINT "FacultyProfile_userId_fkey" FOREIGN KEY ("userId") REFERENCES "User" ("id") ON UPDATE CASCADE,
    ADD CONSTRAINT "FacultyProfile_departmentId_fkey" FOREIGN KEY ("departmentId") REFERENCES "Department" ("id");
ALTER TABLE "ClassSession"
    ADD CONSTRAINT "ClassSession_departmentId_fkey" FOREIGN KEY ("departmentId") REFERENCES "Department" ("id"),
    ADD CONSTRAINT "ClassSession_facultyId_fkey" FOREIGN KEY ("facultyId") REFERENCES "FacultyProfile" ("id");
ALTER TABLE "AttendanceRecord"
    ADD CONSTRAINT "AttendanceRecord_studentId_fkey" FOREIGN KEY ("studentId") REFERENCES "StudentProfile" ("id"),
    ADD CONSTRAINT "AttendanceRecord_sessionId_fkey" FOREIGN KEY ("sessionId") REFERENCES "ClassSession" ("id"),
    ADD CONSTRAINT "AttendanceRecord_markedById_fkey" FOREIGN KEY ("markedById") REFERENCES "User" ("id");

CREATE VIEW "StudentAttendance" AS
SELECT s."rollNumber", count(*) AS "sessions", count(*) FILTER (WHERE a."status" IN ('PRESENT', 'LATE')) AS "attended"
FROM "StudentProfile" AS s JOIN "AttendanceRecord" AS a ON a."studentId" = s."id"
GROUP BY s."rollNumber";

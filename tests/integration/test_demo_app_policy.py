"""What the example policies demand of a restored database: the demo passes, and each demand is failed by a sabotage."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from fix_postgres import execute, rows
from holdfast.drill.checks.codes import check_codes
from holdfast.drill.checks.queries import check_queries
from holdfast.policy import load_policy
from holdfast.policy.drill import Drill
from holdfast.postgres.conninfo import Target

Copy = Callable[[str], str]
DAGS = Path(__file__).parents[2] / "dags"
COURSEPEDIA = {
    "accounts": "UPDATE users SET deleted_at = now() WHERE id > 200",
    "accounts without password": "UPDATE users SET password_hash = 'none' WHERE id = 9",
    "enrollments": "TRUNCATE enrollments CASCADE",
    "enrollments of nobody or in nothing": (
        "ALTER TABLE enrollments DROP CONSTRAINT enrollments_user_id_fkey;"
        "UPDATE enrollments SET user_id = 9999 WHERE id = 3"
    ),
    "completed without all lessons": (
        "DELETE FROM lesson_progress WHERE enrollment_id = (SELECT min(id) FROM enrollments WHERE status = 'completed')"
    ),
    "progress in lessons of another course": (
        "INSERT INTO lesson_progress (enrollment_id, lesson_id, seconds_watched)"
        " SELECT e.id, l.id, 60 FROM enrollments AS e JOIN lessons AS l ON l.course_id <> e.course_id"
        " ORDER BY e.id, l.id LIMIT 1"
    ),
    "paid orders and the money that came": "UPDATE payments SET amount_cents = amount_cents - 1 WHERE id = 4",
    "orders without payment": "DELETE FROM payments WHERE order_id = 9",
    "a certificate for each who completed": "DELETE FROM certificates WHERE id = 5",
    "valid certificates": "UPDATE certificates SET revoked_at = now() WHERE id % 3 = 0",
    "templates in every language": "DELETE FROM email_templates WHERE key = 'receipt' AND locale = 'hi'",
    "entries": "DELETE FROM audit_log WHERE entity = 'orders'",
    "entries out of order": "UPDATE audit_log SET at = at - interval '3 years' WHERE id = 900",
    "certificates without entry": "DELETE FROM audit_log WHERE entity = 'certificates' AND entity_id = 8",
}
CAMPUSTRACK = {
    "users and their profiles": """ALTER TABLE "StudentProfile" DROP CONSTRAINT "StudentProfile_userId_fkey";
        DELETE FROM "User" WHERE "id" = (SELECT min("userId") FROM "StudentProfile")""",
    "profiles of nobody": """ALTER TABLE "StudentProfile" DROP CONSTRAINT "StudentProfile_userId_fkey";
        UPDATE "StudentProfile" SET "userId" = 'nobody' WHERE "rollNumber" LIKE '%-0007'""",
    "attendance of every student in every session": (
        """DELETE FROM "AttendanceRecord" WHERE "id" = (SELECT min("id") FROM "AttendanceRecord")"""
    ),
    "attendance without student, session or teacher": """ALTER TABLE "AttendanceRecord"
        DROP CONSTRAINT "AttendanceRecord_markedById_fkey"; UPDATE "AttendanceRecord" SET "markedById" = 'nobody'""",
    "attendance without status": (
        """UPDATE "AttendanceRecord" SET "status" = NULL WHERE "id" = (SELECT min("id") FROM "AttendanceRecord")"""
    ),
    "migrations that did not finish": """UPDATE "_prisma_migrations" SET finished_at = NULL""",
}


def drill_of(app: str, environment: str) -> Drill:
    """The section of the example policy."""
    policy = load_policy(DAGS / f"{app}.yaml", {"HOLDFAST_STATE": "/state", "HOLDFAST_KEYS": "/keys"})
    drill = policy.environments[environment].drill
    assert drill is not None
    return drill


@pytest.mark.parametrize(
    ("app", "environment", "database", "sabotage"),
    [
        ("coursepedia", "production", "coursepedia_production", COURSEPEDIA),
        ("campustrack", "production", "college_attendance", CAMPUSTRACK),
        ("campustrack", "staging", "college_attendance_staging", CAMPUSTRACK),
    ],
)
def test_demo_answers_every_query_and_sabotage_is_seen(
    demo_copy: Copy, app: str, environment: str, database: str, sabotage: dict[str, str]
) -> None:
    """No query passes whatever the data: for each there is a change that it, by its name, complains of."""
    queries = drill_of(app, environment).queries
    assert list(queries) == list(sabotage)
    sound = check_queries(Target.parse(demo_copy(database)), queries)
    assert sound.findings == ()
    for name, statement in sabotage.items():
        url = demo_copy(database)
        execute(url, statement)
        findings = check_queries(Target.parse(url), queries).findings
        assert any(f"query {name} (" in finding.text and finding.about == "backup" for finding in findings), name


def test_areas_are_those_of_the_applications_guide() -> None:
    """Each area that people verify after a restore has a query."""
    areas = {query.area for query in drill_of("coursepedia", "production").queries.values()}
    assert areas == {
        "login",
        "enrollment",
        "lesson progress",
        "payments",
        "certificates",
        "email templates",
        "audit log",
    }


def test_codes_of_the_demo_are_verified_with_their_pictures(demo_copy: Copy, demo_media: Path) -> None:
    """The oldest and newest certificates: link, and what the QR picture says."""
    codes = drill_of("coursepedia", "production").codes
    assert codes is not None
    outcome = check_codes(Target.parse(demo_copy("coursepedia_production")), codes, demo_media, None)
    assert outcome.findings == ()
    assert outcome.facts == {"codes_oldest": "3 of 3", "codes_newest": "3 of 3", "codes_pictures_read": 6}


@pytest.mark.parametrize("order", ["", "DESC"])
def test_picture_of_another_code_is_seen(demo_copy: Copy, demo_media: Path, tmp_path: Path, order: str) -> None:
    """The oldest's and the newest's: each verifies itself and no other."""
    url = demo_copy("coursepedia_production")
    query = f"SELECT qr_path FROM certificates WHERE revoked_at IS NULL ORDER BY issued_at {order} LIMIT 2"
    wrong, other = (str(path) for (path,) in rows(url, query))
    media = tmp_path / "media"
    shutil.copytree(demo_media / "qr", media / "qr")
    shutil.copyfile(media / other, media / wrong)
    codes = drill_of("coursepedia", "production").codes
    assert codes is not None
    outcome = check_codes(Target.parse(url), codes, media, None)
    assert len(outcome.findings) == 1
    assert outcome.findings[0].about == "backup"

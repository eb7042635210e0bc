"""The demo databases: the same rows every time, whole, and read by a role that can do nothing else."""

from __future__ import annotations

from collections.abc import Iterator

import psycopg
import pytest

from fix_postgres import execute, rows
from holdfast_embedded.demo.databases import BACKUP_ROLE, DEMO_DATABASES, load_demo_databases
from holdfast_embedded.generated import Secrets
from holdfast_embedded.postgres import Cluster

COURSEPEDIA = {
    "users": 400,
    "courses": 24,
    "lessons": 240,
    "enrollments": 1064,
    "lesson_progress": 5755,
    "orders": 1064,
    "payments": 1275,
    "certificates": 426,
    "email_templates": 20,
    "audit_log": 1490,
    "media_files": 546,
}
CAMPUSTRACK = {
    "User": 253,
    "Department": 4,
    "StudentProfile": 240,
    "FacultyProfile": 12,
    "ClassSession": 120,
    "AttendanceRecord": 7200,
    "_prisma_migrations": 3,
}


@pytest.fixture(scope="module")
def secrets(tmp_path_factory: pytest.TempPathFactory) -> Secrets:
    return Secrets.load(tmp_path_factory.mktemp("secrets"))


@pytest.fixture(scope="module", params=["pg18", "pg15"])
def demo(request: pytest.FixtureRequest, secrets: Secrets) -> Iterator[Cluster]:
    """A server with the demo databases, which were loaded twice."""
    cluster: Cluster = request.getfixturevalue(request.param)
    for _ in range(2):
        load_demo_databases(cluster, secrets)
    yield cluster
    for database in DEMO_DATABASES:
        execute(cluster.url(), f"DROP DATABASE {database.name}")
        execute(cluster.url(), f"DROP ROLE {database.owner}")
    execute(cluster.url(), f"DROP ROLE {BACKUP_ROLE}")


@pytest.mark.parametrize(
    ("database", "counts"), [("coursepedia_production", COURSEPEDIA), ("college_attendance", CAMPUSTRACK)]
)
def test_backup_role_reads_all_tables_and_writes_none(
    demo: Cluster, secrets: Secrets, database: str, counts: dict[str, int]
) -> None:
    """Loading twice adds nothing; the role's rights end at reading."""
    url = demo.url(database, BACKUP_ROLE, secrets.backup_password)
    assert {table: rows(url, f'SELECT count(*) FROM "{table}"')[0][0] for table in counts} == counts
    assert {name for (name,) in rows(url, "SELECT tablename FROM pg_tables WHERE schemaname = 'public'")} == set(counts)
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        execute(url, f'DELETE FROM "{next(iter(counts))}"')
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        execute(url, "CREATE TABLE public.mine ()")


def test_each_environment_has_its_own_owner(demo: Cluster, secrets: Secrets) -> None:
    """An application's role does not even connect to another environment's database."""
    owner = DEMO_DATABASES[0].owner
    with pytest.raises(psycopg.OperationalError, match="permission denied for database"):
        execute(demo.url("college_attendance", owner, secrets.owner_password), "SELECT 1")


def test_rows_are_the_same_on_every_machine(demo: Cluster) -> None:
    """No clock and no chance: whoever restores the demo can compare with what another one has."""
    certificates = "SELECT md5(string_agg(code || issued_at, ',' ORDER BY id)) FROM certificates"
    attendance = """SELECT md5(string_agg("id" || "status", ',' ORDER BY "id")) FROM "AttendanceRecord" """
    in_utc = "?options=-ctimezone%3DUTC"
    assert rows(demo.url("coursepedia_production") + in_utc, certificates) == [("002306da7a27534ad5761dd0f00381d3",)]
    assert rows(demo.url("college_attendance"), attendance) == [("6b6b772ed42c744f009b8ebb6b912587",)]


def test_names_in_quotes_and_other_scripts_are_there(demo: Cluster) -> None:
    """The demo is there to show what is hard to restore."""
    titles = rows(demo.url("coursepedia_production"), "SELECT title FROM courses WHERE title ~ 'हिन्दी|Café'")
    assert len(titles) == 6
    found = rows(demo.url("college_attendance"), """SELECT count(*) FROM "StudentAttendance" WHERE "attended" > 0""")
    assert found == [(240,)]

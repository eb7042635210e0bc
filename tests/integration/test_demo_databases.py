"""The demo databases: the same rows every time, whole, and read by a role that can do nothing else."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
import yaml

from fix_postgres import execute, rows
from holdfast.drill.checks.pictures import qr_texts
from holdfast.recovery.cluster import Cluster
from holdfast_embedded.demo.databases import BACKUP_ROLE, DEMO_DATABASES, load_demo_databases
from holdfast_embedded.demo.media import make_media
from holdfast_embedded.generated import Secrets

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
    "media_files": 972,
    "schema_migrations": 5,
    "course_totals": 24,
}
BEFORE_APP = """DROP TABLE schema_migrations, course_totals;
    ALTER TABLE users DROP COLUMN password_hash; ALTER TABLE certificates DROP COLUMN qr_path"""
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
    execute(cluster.url(), f"DROP OWNED BY {BACKUP_ROLE}; DROP ROLE {BACKUP_ROLE}")


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


def test_every_row_has_its_file(demo: Cluster, secrets: Secrets, tmp_path: Path) -> None:
    """Made twice, the files are the same; beside them lies what is hard to bring back."""
    folder = tmp_path / "media"
    for _ in range(2):
        make_media(demo, secrets, folder)
    paths = [str(path) for (path,) in rows(demo.url("coursepedia_production"), "SELECT path FROM media_files")]
    assert all((folder / path).stat().st_size > 10 for path in paths)
    kinds = {path.rpartition(".")[2]: (folder / path).read_bytes() for path in paths}
    assert kinds["png"].startswith(b"\x89PNG\r\n\x1a\n")
    assert kinds["pdf"].startswith(b"%PDF-1.4\n") and kinds["pdf"].endswith(b"%%EOF\n")
    codes = [path for path in paths if path.startswith("qr/")]
    assert len(codes) == 426
    assert qr_texts((folder / codes[0]).read_bytes()) == [
        f"https://coursepedia.example.org/verify/{Path(codes[0]).stem}"
    ]
    assert (folder / "certificates/latest.png").is_symlink()
    assert (folder / "certificates/latest.png").read_bytes().startswith(b"\x89PNG")
    assert list((folder / "courses/drafts").iterdir()) == []
    names = [os.fsencode(path.name) for path in (folder / "courses").iterdir()]
    assert {b"two\nlines.txt", b"not-utf-8-\xff\xfe.txt"} <= set(names)
    assert max(map(len, names)) == 255


def test_media_references_of_the_example_hold_for_any_database(demo: Cluster) -> None:
    """They find the demo's files, and nothing in a database of the user's own."""
    policy = yaml.safe_load((Path(__file__).parents[2] / "dags/coursepedia.yaml").read_text())
    query = policy["environments"]["production"]["media_references"]
    assert sorted(rows(demo.url("coursepedia_production"), query)) == sorted(
        rows(demo.url("coursepedia_production"), "SELECT path FROM media_files")
    )
    assert rows(demo.url("college_attendance"), query) == []


def test_state_of_an_older_version_gets_what_is_new(demo: Cluster, secrets: Secrets) -> None:
    """What came later is added to a database that is there already, the oldest and the one before this."""
    url = demo.url("coursepedia_production")
    whole = "SELECT md5(string_agg(f::text, ',' ORDER BY id)) FROM media_files AS f"
    before = rows(url, whole)
    execute(url, BEFORE_APP)
    execute(url, "DELETE FROM media_files WHERE kind = 'qr'")
    load_demo_databases(demo, secrets)
    assert rows(url, "SELECT count(*) FROM media_files") == [(972,)]
    execute(url, BEFORE_APP + "; DROP TABLE media_files")
    load_demo_databases(demo, secrets)
    assert rows(url, whole) == before
    assert rows(url, "SELECT count(*) FROM certificates WHERE qr_path = 'qr/' || code || '.png'") == [(426,)]

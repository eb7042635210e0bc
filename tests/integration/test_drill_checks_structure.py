"""The check of restored tables and indexes: damage planted in their files is found, and nothing is left behind."""

from __future__ import annotations

import os
import shutil
import struct
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest

from fix_postgres import DEBIAN_15, FAST, execute, rows
from holdfast.drill.checks import check_structure
from holdfast.drill.outcome import Outcome
from holdfast.errors import DatabaseUnavailable
from holdfast.postgres.conninfo import Target
from holdfast.postgres.wheel import wheel_folder
from holdfast.recovery.cluster import Cluster

TABLES = """
CREATE TABLE "Lessons" (id int PRIMARY KEY, title text UNIQUE, body text);
ALTER TABLE "Lessons" ALTER body SET STORAGE EXTERNAL;
INSERT INTO "Lessons" SELECT i, 'lesson ' || i, repeat(md5(i::text), 3 + i % 90) FROM generate_series(1, 3000) i;
CREATE TABLE log (at timestamptz, line text) PARTITION BY RANGE (at);
CREATE TABLE log_2026 PARTITION OF log FOR VALUES FROM ('2026-01-01') TO ('2027-01-01');
CREATE INDEX ON log (at);
INSERT INTO log SELECT timestamptz '2026-01-01' + i * interval '1 minute', 'line' FROM generate_series(1, 500) i;
CREATE MATERIALIZED VIEW titles AS SELECT title FROM "Lessons";
CREATE INDEX ON titles (title);
CREATE SCHEMA "other one";
CREATE TABLE "other one".empty (id int PRIMARY KEY);
CREATE INDEX ON "Lessons" USING gin (to_tsvector('simple', title))
"""
LEFT = """
SELECT (SELECT count(*) FROM pg_extension WHERE extname = 'amcheck'),
       (SELECT count(*) FROM pg_namespace WHERE nspname = 'holdfast_amcheck')
"""


def checked(url: str) -> Outcome:
    return check_structure(Target.parse(url))


def texts(outcome: Outcome) -> str:
    assert {finding.about for finding in outcome.findings} <= {"backup"}
    return "\n".join(finding.text for finding in outcome.findings)


@pytest.mark.parametrize("server", ["pg18", "pg15"])
def test_sound_database_passes(server: str, request: pytest.FixtureRequest, make_database: Callable[..., str]) -> None:
    """Every table, materialized view and B-tree index is checked, those of long values too; the extension is gone."""
    url = make_database(TABLES, cluster=request.getfixturevalue(server))
    found = checked(url)
    assert found.findings == () and found.notes == ()
    facts = dict(found.facts)
    assert facts.pop("structure_seconds", None) is not None
    # Three tables and the view; all but one have a table of long values, with an index.
    assert facts == {
        "amcheck": True, "tables_checked": 7, "indexes_checked": 8, "indexes_compared_with_rows": 8,
        "invalid_indexes": 0, "constraints_not_validated": 0,
    }  # fmt: skip
    assert rows(url, LEFT) == [(0, 0)]


def test_applications_own_extension_stays(make_database: Callable[..., str]) -> None:
    url = make_database('CREATE SCHEMA "My Tools"; CREATE EXTENSION amcheck SCHEMA "My Tools"; CREATE TABLE a (id int)')
    assert checked(url).facts["amcheck"] is True
    assert rows(url, LEFT) == [(1, 0)]


def test_what_a_killed_check_left_is_used_and_taken_away(make_database: Callable[..., str]) -> None:
    url = make_database("CREATE SCHEMA holdfast_amcheck; CREATE EXTENSION amcheck SCHEMA holdfast_amcheck")
    assert checked(url).passed
    assert rows(url, LEFT) == [(0, 0)]


@pytest.mark.parametrize("server", ["pg18", "pg15"])
def test_triggers_and_read_only_databases_do_not_hinder(
    server: str, request: pytest.FixtureRequest, make_database: Callable[..., str]
) -> None:
    """An application may forbid changes of its schema by an event trigger, and writes by default."""
    url = make_database(
        "CREATE TABLE a (id int PRIMARY KEY);"
        "CREATE FUNCTION no() RETURNS event_trigger LANGUAGE plpgsql AS $$ BEGIN RAISE 'no changes'; END $$;"
        "CREATE EVENT TRIGGER no ON ddl_command_start EXECUTE FUNCTION no()",
        cluster=request.getfixturevalue(server),
    )
    name = rows(url, "SELECT current_database()")[0][0]
    execute(url, f"ALTER DATABASE {name} SET default_transaction_read_only = on")
    found = checked(url)
    assert found.passed and found.facts["amcheck"] is True
    assert rows(url, LEFT) == [(0, 0)]


def test_role_that_may_not_create_it_is_a_note(pg18: Cluster, make_database: Callable[..., str]) -> None:
    url = make_database("CREATE TABLE a (id int PRIMARY KEY)")
    name = str(rows(url, "SELECT current_database()")[0][0])
    execute(url, "DROP ROLE IF EXISTS plain_check; CREATE ROLE plain_check LOGIN PASSWORD 'plain-check'")
    execute(url, f"GRANT CREATE ON DATABASE {name} TO plain_check")
    found = checked(pg18.url(name, user="plain_check", password="plain-check"))
    assert found.passed and found.facts["amcheck"] is False
    assert "amcheck could not be created: permission denied" in found.notes[0]
    assert rows(url, LEFT) == [(0, 0)]
    execute(url, "DROP OWNED BY plain_check; DROP ROLE plain_check")


def test_server_without_the_extension_is_a_note(tmp_path: Path) -> None:
    installed = wheel_folder().parent
    bare = tmp_path / "postgresql"
    shutil.copytree(installed, bare, symlinks=True, ignore=shutil.ignore_patterns("amcheck*", "include", "doc"))
    with Cluster(tmp_path / "cluster", bare / "bin", config=FAST) as cluster:
        found = checked(cluster.create_database("shop"))
    assert found.passed and found.facts["amcheck"] is False
    assert found.notes == ("pages were not checked: the server does not have the extension amcheck",)


def test_invalid_index_is_found(make_database: Callable[..., str]) -> None:
    """As CREATE INDEX CONCURRENTLY leaves one behind when it fails; it is not checked as if it were sound."""
    url = make_database("CREATE TABLE a (id int); INSERT INTO a VALUES (1), (1)")
    with pytest.raises(psycopg.errors.UniqueViolation):
        execute(url, 'CREATE UNIQUE INDEX CONCURRENTLY "a id" ON a (id)')
    found = checked(url)
    assert texts(found) == 'index "a id" of table a is not valid'
    assert found.facts["invalid_indexes"] == 1


def test_index_that_a_partition_lacks_is_noted(make_database: Callable[..., str]) -> None:
    url = make_database(
        "CREATE TABLE p (id int) PARTITION BY LIST (id); CREATE TABLE p1 PARTITION OF p FOR VALUES IN (1);"
        "CREATE INDEX p_id ON ONLY p (id)"
    )
    found = checked(url)
    assert found.passed and "p_id" in found.notes[0]


def test_constraints_that_were_never_validated_are_noted(make_database: Callable[..., str]) -> None:
    url = make_database(
        "CREATE TABLE a (id int PRIMARY KEY, n int); INSERT INTO a VALUES (1, -1);"
        "ALTER TABLE a ADD CONSTRAINT positive CHECK (n > 0) NOT VALID; CREATE DOMAIN d AS int;"
        "ALTER DOMAIN d ADD CONSTRAINT small CHECK (VALUE < 9) NOT VALID"
    )
    found = checked(url)
    assert found.passed and "a: positive, d: small" in found.notes[0]
    assert found.facts["constraints_not_validated"] == 2


def test_foreign_key_whose_triggers_are_off_is_found(make_database: Callable[..., str]) -> None:
    """As a restore with --disable-triggers leaves it when it breaks off."""
    url = make_database(
        "CREATE TABLE a (id int PRIMARY KEY); CREATE TABLE b (a int CONSTRAINT b_of_a REFERENCES a);"
        "ALTER TABLE b DISABLE TRIGGER ALL"
    )
    assert "table b: b_of_a" in texts(checked(url))


class Damaged:
    """A cluster of its own whose files are changed while it is stopped."""

    def __init__(self, cluster: Cluster) -> None:
        self.cluster = cluster
        self.url = cluster.create_database("shop")
        execute(self.url, TABLES)
        execute(self.url, "CHECKPOINT")

    def file(self, relation: str) -> Path:
        path = rows(self.url, f"SELECT pg_relation_filepath('{relation}')")[0][0]
        return self.cluster.data / str(path)

    def change(self, file: Path, change: Callable[[bytearray], None]) -> None:
        """Change a file's bytes while the server is down."""
        self.cluster.stop()
        data = bytearray(file.read_bytes())
        change(data)
        file.write_bytes(data)
        self.cluster.start()
        self.url = self.cluster.url("shop")


@pytest.fixture(params=["18", "15"])
def damaged(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Damaged]:
    bin = wheel_folder() if request.param == "18" else DEBIAN_15
    # Else PostgreSQL itself would refuse whatever is changed here: what amcheck finds is to be seen.
    config = FAST | {"ignore_checksum_failure": "on"}
    with Cluster(tmp_path / "cluster", bin, config=config) as cluster:
        yield Damaged(cluster)


def _swap_entries(data: bytearray) -> None:
    """Exchange two line pointers of the index's first leaf, behind its high key."""
    at = 8192 + 24 + 4 * 5
    data[at : at + 4], data[at + 4 : at + 8] = data[at + 4 : at + 8], data[at : at + 4]


def _lose_entry(data: bytearray) -> None:
    """Mark one entry of that leaf as dead, as if the row behind it were gone."""
    at = 8192 + 24 + 4 * 5
    (pointer,) = struct.unpack_from("<I", data, at)
    struct.pack_into("<I", data, at, pointer | 3 << 15)


def _age_row(data: bytearray) -> None:
    """Have the second row of the first page be written by a transaction that is yet to come."""
    (pointer,) = struct.unpack_from("<I", data, 24 + 4)
    struct.pack_into("<I", data, pointer & 0x7FFF, 2_000_000_000)
    # Not frozen any more: an old row's writer is not looked at.
    (mask,) = struct.unpack_from("<H", data, (pointer & 0x7FFF) + 20)
    struct.pack_into("<H", data, (pointer & 0x7FFF) + 20, mask & ~0x0300)


def _lose_row(data: bytearray) -> None:
    """Mark the first row of the first page as dead."""
    (pointer,) = struct.unpack_from("<I", data, 24)
    struct.pack_into("<I", data, 24, pointer | 3 << 15)


def _garbage(data: bytearray) -> None:
    data[:4096] = os.urandom(4096)


def test_entries_out_of_order_are_found(damaged: Damaged) -> None:
    damaged.change(damaged.file('"Lessons_pkey"'), _swap_entries)
    assert 'index "Lessons_pkey" is damaged: item order invariant violated' in texts(checked(damaged.url))
    assert rows(damaged.url, LEFT) == [(0, 0)]


def test_row_that_its_index_lacks_is_found(damaged: Damaged) -> None:
    damaged.change(damaged.file('"Lessons_pkey"'), _lose_entry)
    assert "lacks matching index tuple" in texts(checked(damaged.url))


def test_damaged_row_is_found(damaged: Damaged) -> None:
    damaged.change(damaged.file('"Lessons"'), _age_row)
    assert 'table "Lessons" is damaged: xmin 2000000000' in texts(checked(damaged.url))


def test_lost_long_value_is_found(damaged: Damaged) -> None:
    """A row says that its long value lies elsewhere, and it does not."""
    toast = rows(damaged.url, "SELECT reltoastrelid::regclass::text FROM pg_class WHERE relname = 'Lessons'")[0][0]
    damaged.change(damaged.file(str(toast)), _lose_row)
    assert 'table "Lessons" is damaged: toast value' in texts(checked(damaged.url))


@pytest.mark.parametrize("relation", ['"Lessons_title_key"', '"Lessons"'])
def test_garbage_is_found(damaged: Damaged, relation: str) -> None:
    damaged.change(damaged.file(relation), _garbage)
    found = texts(checked(damaged.url))
    assert f"{relation} is damaged: invalid page in block 0" in found
    assert "titles" not in found


def test_one_of_many_small_tables_is_named(damaged: Damaged) -> None:
    """They are checked together, and told apart."""
    execute(
        damaged.url,
        ";".join(f"CREATE TABLE t{number} (id int PRIMARY KEY); INSERT INTO t{number} VALUES (1), (2)"
                 for number in range(230)) + "; CHECKPOINT",
    )  # fmt: skip
    damaged.change(damaged.file("t117"), _age_row)
    found = checked(damaged.url)
    assert len(found.findings) == 1 and "table t117 is damaged: xmin 2000000000" in texts(found)
    assert found.facts["tables_checked"] == 237


def test_missing_file_is_found(damaged: Damaged) -> None:
    file = damaged.file('"Lessons"')
    damaged.cluster.stop()
    file.unlink()
    damaged.cluster.start()
    assert 'table "Lessons" is damaged: could not open file' in texts(checked(damaged.cluster.url("shop")))


def test_server_that_goes_away_is_no_finding(damaged: Damaged) -> None:
    damaged.cluster.stop()
    with pytest.raises(DatabaseUnavailable):
        checked(damaged.url)

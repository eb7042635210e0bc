"""Snapshots of real databases: exact, complete, and refused where anything may not be read."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import quote

import psycopg
import pytest

from awkward import AWKWARD, ROWS
from fix_postgres import FAST, execute, rows
from holdfast.errors import DatabaseError, DatabaseUnavailable
from holdfast.manifest.model import SourceFacts
from holdfast.postgres.binaries import client_for
from holdfast.postgres.conninfo import Target
from holdfast.postgres.dump import dump_stream, plan_dump
from holdfast.postgres.preflight import preflight
from holdfast.postgres.session import connect
from holdfast.postgres.snapshot import exported_snapshot
from holdfast.process.child import Command, base_environment, run
from holdfast.recovery.account import server_account
from holdfast.recovery.cluster import Cluster

Make = Callable[..., str]

ROLE = 'backup "ü" role'


@pytest.fixture(params=["18", "15"])
def cluster(request: pytest.FixtureRequest, pg18: Cluster, pg15: Cluster) -> Cluster:
    """Either server."""
    return {"18": pg18, "15": pg15}[request.param]


@pytest.fixture
def plain_role(cluster: Cluster) -> Iterator[str]:
    """A role that may log in and nothing else."""
    quoted = ROLE.replace('"', '""')
    execute(cluster.url(), f"""CREATE ROLE "{quoted}" LOGIN PASSWORD 'hunter2'""")
    yield f'"{quoted}"'
    execute(cluster.url(), f'DROP ROLE "{quoted}"')


def as_role(url: str) -> Target:
    """The same database with the plain role's login."""
    place = url.rpartition("@")[2]
    return Target.parse(f"postgresql://{quote(ROLE, safe='')}:hunter2@{place}")


def counted(facts: SourceFacts) -> dict[tuple[str, str], int]:
    """Rows by schema and name."""
    return {(table.schema_name, table.name): table.rows for table in facts.tables}


def queued_truncation(url: str, table: str) -> threading.Thread:
    """A TRUNCATE that already waits for whoever holds the table."""
    thread = threading.Thread(target=execute, args=(url, f"TRUNCATE {table}"), daemon=True)
    thread.start()
    deadline = time.monotonic() + 10
    while not rows(url, "SELECT FROM pg_locks WHERE NOT granted AND mode = 'AccessExclusiveLock'"):
        assert time.monotonic() < deadline
        time.sleep(0.01)
    return thread


def test_every_table_is_counted_exactly(cluster: Cluster, make_database: Make) -> None:
    """Partitions, inheritance, unlogged, empty and oddly named tables; views and foreign rows are none."""
    target = Target.parse(make_database(AWKWARD, cluster=cluster))
    with exported_snapshot(target) as snapshot:
        assert snapshot.facts.tables == ()
        facts = snapshot.count()
        assert counted(facts) == ROWS
        assert snapshot.count(workers=3) == facts
        assert facts.rows == sum(ROWS.values())


def test_facts(cluster: Cluster, make_database: Make) -> None:
    """What a manifest says of its source."""
    target = Target.parse(make_database(AWKWARD, cluster=cluster))
    with exported_snapshot(target) as snapshot:
        facts = snapshot.facts
    assert facts.server_version_num // 10000 == snapshot.server_major == int(facts.server_version.split(".")[0])
    assert facts.system_identifier.isdecimal()
    assert facts.database == target.database
    assert "/" in facts.lsn
    assert not facts.in_recovery
    assert (facts.encoding, facts.collate, facts.ctype, facts.locale_provider) == ("UTF8", "C.UTF-8", "C.UTF-8", "libc")
    assert facts.database_bytes > 1_000_000
    assert facts.snapshot_at.utcoffset() is not None
    assert {each.name for each in facts.extensions} == {"hstore", "citext", "plpgsql"}
    assert facts.roles == ("postgres",)
    assert {each.name: (each.last_value, each.increment) for each in facts.sequences} == {
        "User_id_seq": (100, 1),
        "order \"ü\" 'items'_id_seq": (50, 1),
        "down": (-6, -5),
        "never": (None, 1),
        "round": (1, 1),
    }


def test_roles_that_a_restore_needs(cluster: Cluster, plain_role: str, make_database: Make) -> None:
    """Owners, grantees and those of policies."""
    url = make_database(f"CREATE TABLE t (a int); CREATE POLICY p ON t TO {plain_role}", cluster=cluster)
    with exported_snapshot(Target.parse(url)) as snapshot:
        assert snapshot.facts.roles == (ROLE, "postgres")


def test_empty_database(cluster: Cluster, make_database: Make) -> None:
    """Nothing to count is no error."""
    with exported_snapshot(Target.parse(make_database(cluster=cluster))) as snapshot, snapshot.counting() as counting:
        assert counting.result().tables == ()


def test_counts_ignore_what_happens_meanwhile(cluster: Cluster, make_database: Make) -> None:
    """Rows written, deleted and tables made after the snapshot are not seen."""
    url = make_database("CREATE TABLE t (a int); INSERT INTO t SELECT generate_series(1, 100)", cluster=cluster)
    with exported_snapshot(Target.parse(url)) as snapshot:
        execute(url, "DELETE FROM t WHERE a <= 60; INSERT INTO t VALUES (7); CREATE TABLE later (a int)")
        assert counted(snapshot.count(workers=2)) == {("public", "t"): 100}


def test_tables_cannot_be_emptied_or_dropped_under_the_snapshot(cluster: Cluster, make_database: Make) -> None:
    """TRUNCATE ignores snapshots: it has to wait, or the dump would lack the rows that were counted."""
    url = make_database("CREATE TABLE t (a int); INSERT INTO t VALUES (1)", cluster=cluster)
    with exported_snapshot(Target.parse(url)) as snapshot:
        for statement in ("TRUNCATE t", "DROP TABLE t", "ALTER TABLE t ALTER a TYPE text"):
            with psycopg.connect(url) as other, pytest.raises(psycopg.errors.LockNotAvailable):
                other.execute("SET lock_timeout = '50ms'")
                other.execute(statement.encode())
        assert snapshot.count().rows == 1


def test_snapshot_waits_for_a_migration_under_way(cluster: Cluster, make_database: Make) -> None:
    """And sees what it left."""
    url = make_database("CREATE TABLE t (a int); INSERT INTO t VALUES (1)", cluster=cluster)
    with psycopg.connect(url) as migration:
        migration.execute("TRUNCATE t")
        migration.execute("DROP TABLE IF EXISTS gone")
        timer = threading.Timer(0.3, migration.commit)
        timer.start()
        with exported_snapshot(Target.parse(url)) as snapshot:
            assert snapshot.count().rows == 0
        timer.join()


def test_endless_migration_is_not_waited_for(
    cluster: Cluster, make_database: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The wait ends, and may be tried again."""
    monkeypatch.setattr("holdfast.postgres.snapshot.BEFORE_SNAPSHOT_S", 1)
    url = make_database("CREATE TABLE t (a int)", cluster=cluster)
    with psycopg.connect(url) as migration:
        migration.execute("TRUNCATE t")
        with (
            pytest.raises(DatabaseUnavailable, match=r"changes tables .* stands between") as caught,
            exported_snapshot(Target.parse(url)),
        ):
            raise AssertionError("it must not come so far")
    assert "Run migrations outside" in str(caught.value.hint)


def test_other_counting_sessions_do_not_wait_for_ever(
    cluster: Cluster, make_database: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They queue behind a statement that waits for the snapshot itself."""
    monkeypatch.setattr("holdfast.postgres.snapshot.BESIDE_SNAPSHOT_S", 1)
    url = make_database("CREATE TABLE a (x int); CREATE TABLE b (x int)", cluster=cluster)
    with exported_snapshot(Target.parse(url)) as snapshot:
        truncation = queued_truncation(url, "b")
        with pytest.raises(DatabaseUnavailable, match=r"changes tables .* stands between"):
            snapshot.count(workers=2)
        assert len(snapshot.count().tables) == 2
    truncation.join(10)
    assert not truncation.is_alive()


def test_dump_does_not_wait_for_what_waits_for_its_snapshot(
    cluster: Cluster, make_database: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A circle that PostgreSQL does not see: pg_dump gives up, and the application's statement goes through."""
    monkeypatch.setattr("holdfast.postgres.dump.BESIDE_SNAPSHOT_S", 1)
    url = make_database("CREATE TABLE t (a int); INSERT INTO t VALUES (1)", cluster=cluster)
    with exported_snapshot(Target.parse(url)) as snapshot:
        truncation = queued_truncation(url, "t")
        started = time.monotonic()
        with pytest.raises(DatabaseUnavailable, match=r"changes tables .* stands between") as caught:
            b"".join(dump_stream(plan_dump(client_for(snapshot.server_major)), snapshot))
        assert time.monotonic() - started < 10
        assert truncation.is_alive()
    assert "Run migrations outside" in str(caught.value.hint)
    truncation.join(10)
    assert not truncation.is_alive()
    assert rows(url, "SELECT count(*) FROM t") == [(0,)]


def test_table_dropped_between_listing_and_locking(cluster: Cluster, make_database: Make) -> None:
    """The list is made anew."""
    url = make_database("CREATE TABLE a (x int); CREATE TABLE b (x int); INSERT INTO b VALUES (1)", cluster=cluster)
    with psycopg.connect(url) as migration:
        migration.execute("DROP TABLE a")
        timer = threading.Timer(0.3, migration.commit)
        timer.start()
        with exported_snapshot(Target.parse(url)) as snapshot:
            assert counted(snapshot.count()) == {("public", "b"): 1}
        timer.join()


def test_extension_tables_count_only_what_is_dumped(pg18: Cluster, make_database: Make, tmp_path: Path) -> None:
    """Rows of configuration tables under the extension's condition; its other tables not at all."""
    url = make_database(
        """CREATE EXTENSION hstore;
        CREATE TABLE settings (a int); INSERT INTO settings VALUES (1), (2), (3); CREATE TABLE inner_table (a int);
        ALTER EXTENSION hstore ADD TABLE settings; ALTER EXTENSION hstore ADD TABLE inner_table;
        UPDATE pg_extension SET extconfig = ARRAY['settings'::regclass::oid], extcondition = ARRAY['WHERE a > 1']
         WHERE extname = 'hstore'"""
    )
    with exported_snapshot(Target.parse(url)) as snapshot:
        assert counted(snapshot.count()) == {("public", "settings"): 2}


def test_what_may_not_be_read_is_named_before_anything_starts(
    cluster: Cluster, plain_role: str, make_database: Make
) -> None:
    """Tables, schemas, sequences, large objects and row-level security, with the statements that mend it."""
    url = make_database(AWKWARD + "GRANT USAGE ON SCHEMA public TO public", cluster=cluster)
    problems = preflight(as_role(url))
    named = {problem.what for problem in problems}
    assert {
        'table public."User"', 'table "my schema"."order ""ü"" \'items\'"', 'schema "my schema"',
        'sequence public."User_id_seq"', "table public.parted", "table public.parted_2a",
    } <= named  # fmt: skip
    assert any("large object" in what for what in named)
    assert any("row-level security" in what and "guarded" in what for what in named)
    assert not any("shown" in what for what in named)
    assert all("GRANT" in problem.hint or "BYPASSRLS" in problem.hint for problem in problems)
    with pytest.raises(DatabaseError, match="not everything may be read") as caught, exported_snapshot(as_role(url)):
        raise AssertionError("it must not come so far")
    assert "hunter2" not in f"{caught.value} {caught.value.hint}"


def test_one_unreadable_table_is_enough(cluster: Cluster, plain_role: str, make_database: Make) -> None:
    """The error names it and only it; what the hint says mends it."""
    url = make_database("CREATE TABLE a (x int); CREATE TABLE b (x int)", cluster=cluster)
    execute(url, f"GRANT SELECT ON a TO {plain_role}")
    message = r"not everything may be read: table public\.b$"
    with pytest.raises(DatabaseError, match=message) as caught, exported_snapshot(as_role(url)):
        raise AssertionError("it must not come so far")
    assert caught.value.hint == f"Run as a superuser: GRANT pg_read_all_data TO {plain_role};"
    execute(url, caught.value.hint.partition(": ")[2])
    with exported_snapshot(as_role(url)) as snapshot:
        assert len(snapshot.count().tables) == 2


def test_hints_mend_everything(cluster: Cluster, plain_role: str, make_database: Make) -> None:
    """After running them, the whole awkward database can be read, counted and dumped."""
    url = make_database(AWKWARD, cluster=cluster)
    for problem in preflight(as_role(url)):
        execute(url, problem.hint.partition(": ")[2])
    assert preflight(as_role(url)) == ()
    with exported_snapshot(as_role(url)) as snapshot:
        assert counted(snapshot.count()) == ROWS
    execute(url, f"DROP OWNED BY {plain_role}")


def test_subscriptions_are_for_superusers(cluster: Cluster, plain_role: str, make_database: Make) -> None:
    """pg_dump would leave them out with a warning, whoever may read them."""
    statement = "CREATE SUBSCRIPTION sub CONNECTION 'host=nowhere' PUBLICATION p WITH (connect = false)"
    url = make_database(statement, cluster=cluster)
    try:
        execute(url, f"GRANT pg_read_all_data TO {plain_role}")
        assert [problem.what for problem in preflight(as_role(url))] == ["subscription sub"]
        assert preflight(Target.parse(url)) == ()
        assert preflight(as_role(make_database(cluster=cluster))) == ()
    finally:
        execute(url, "ALTER SUBSCRIPTION sub SET (slot_name = NONE)")
        execute(url, "DROP SUBSCRIPTION sub")


def test_settings_of_the_role_do_not_disturb(cluster: Cluster, plain_role: str, make_database: Make) -> None:
    """Time limits, search path and such of role or database are for the application, not for backups."""
    url = make_database("CREATE TABLE t (a int); INSERT INTO t SELECT generate_series(1, 200000)", cluster=cluster)
    execute(url, f"GRANT SELECT ON t TO {plain_role}")
    for setting in ("statement_timeout = 1", "idle_in_transaction_session_timeout = 1", "search_path = nowhere"):
        execute(cluster.url(), f"ALTER ROLE {plain_role} IN DATABASE {Target.parse(url).database} SET {setting}")
    try:
        with exported_snapshot(as_role(url)) as snapshot:
            time.sleep(0.05)
            assert snapshot.count().rows == 200_000
    except DatabaseUnavailable as error:
        # The limit may strike before the first statement that lifts it.
        assert "statement timeout" in error.message


def test_leaving_by_an_error_cancels_the_count(make_database: Make) -> None:
    """At once: nobody waits for a count that nobody wants."""
    url = make_database("CREATE TABLE t AS SELECT generate_series(1, 300000) a")
    target = Target.parse(url)
    started = time.monotonic()
    with pytest.raises(ValueError, match="enough"), exported_snapshot(target) as snapshot, snapshot.counting():
        raise ValueError("enough")
    assert time.monotonic() - started < 5
    with connect(target) as session:
        left = session.execute(
            "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
        ).fetchone()
    assert left == (0,)


def test_lost_session_is_transient(make_database: Make) -> None:
    """The count says so; it never returns a part."""
    url = make_database("CREATE TABLE t (a int)")
    with pytest.raises(DatabaseUnavailable), exported_snapshot(Target.parse(url)) as snapshot:
        execute(url, "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid()"
                     " AND datname = current_database()")  # fmt: skip
        snapshot.count()


def test_thousands_of_tables(make_database: Make) -> None:
    """1,500 tables take seconds, and few locks beyond the tables' own."""
    url = make_database()
    with psycopg.connect(url, autocommit=True) as session:
        for start in range(0, 1500, 500):
            session.execute(
                f"""DO $$BEGIN FOR i IN {start}..{start + 499} LOOP
                EXECUTE format('CREATE TABLE %I (id serial PRIMARY KEY)', 'Table ' || i); END LOOP; END$$""".encode()
            )
    started = time.monotonic()
    with exported_snapshot(Target.parse(url)) as snapshot:
        facts = snapshot.count()
        held = rows(url, "SELECT count(*) FROM pg_locks WHERE pid <> pg_backend_pid() AND database IS NOT NULL")[0][0]
    assert (len(facts.tables), len(facts.sequences)) == (1500, 1500)
    assert time.monotonic() - started < 15
    assert isinstance(held, int)
    assert held < 1600


def test_standby(tmp_path_factory: pytest.TempPathFactory, pg15: Cluster, make_database: Make) -> None:
    """A hot standby can be backed up: its own LSN, without the unlogged tables, which it cannot read."""
    url = make_database(
        "CREATE TABLE t (a int); INSERT INTO t VALUES (1); CREATE UNLOGGED TABLE u (a int)", cluster=pg15
    )
    folder = tmp_path_factory.mktemp("standby")
    target = Target.parse(pg15.url())
    account = server_account()
    account.make_folder(folder)
    copied = run(
        Command(
            (client_for(15).tool("pg_basebackup"), "-D", str(folder / "data"), "-R", "-c", "fast", "-X", "stream"),
            base_environment() | target.environment(),
            privileges=account.privileges(folder),
        )
    ).require()
    assert copied.status == 0
    account.write_secret(folder / "password", pg15.password)
    name = Target.parse(url).database
    with (
        Cluster(folder, pg15.bin, config=FAST | {"hot_standby": "on"}) as standby,
        exported_snapshot(Target.parse(standby.url(name))) as snapshot,
    ):
        facts = snapshot.count()
    assert facts.in_recovery
    assert "/" in facts.lsn
    assert counted(facts) == {("public", "t"): 1}

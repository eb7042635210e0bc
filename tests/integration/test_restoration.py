"""Restores with the real pg_restore: equal to the snapshot, or a failure that says why."""

from __future__ import annotations

import os
import resource
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import pytest

from awkward import AWKWARD, LONG
from fix_postgres import execute, rows
from holdfast.errors import RestoreError, TransientError
from holdfast.manifest.model import SourceFacts
from holdfast.postgres.archive_list import list_file
from holdfast.postgres.binaries import Client, client_for, reader_for
from holdfast.postgres.complaints import Kind
from holdfast.postgres.conninfo import Target
from holdfast.postgres.counts import compare_counts, compare_sequences
from holdfast.postgres.dump import archive_pieces, dump_stream, plan_dump
from holdfast.postgres.restoration import archive_file, restore_file, restore_pipe
from holdfast.postgres.selection import choose, selected
from holdfast.postgres.snapshot import exported_snapshot
from holdfast.postgres.target import inspect
from holdfast.postgres.verdict import Verdict
from holdfast.recovery.cluster import Cluster

Make = Callable[..., str]


@dataclass(frozen=True)
class Dumped:
    """A dump and what was true when it was made."""

    archive: bytes
    client: Client
    facts: SourceFacts


def dump(url: str) -> Dumped:
    """Dump a database."""
    with exported_snapshot(Target.parse(url)) as snapshot, snapshot.counting() as counting:
        plan = plan_dump(client_for(snapshot.server_major))
        artifact = b"".join(dump_stream(plan, snapshot))
        return Dumped(b"".join(archive_pieces(plan.format, [artifact])), plan.client, counting.result())


def restore(dumped: Dumped, url: str, folder: Path, *, jobs: int = 2, names: tuple[str, ...] = ()) -> Verdict:
    """Restore all of it or some tables; jobs 0 means by a pipe."""
    target = Target.parse(url)
    client = reader_for(dumped.client.version(), server_major=inspect(target).server_major)
    if jobs == 0:
        return restore_pipe(client, target, [dumped.archive])
    with archive_file([dumped.archive], folder) as file:
        selection = choose(list_file(client, file), names, roles=dumped.facts.roles) if names else None
        return restore_file(client, target, file, jobs=jobs, selection=selection)


@pytest.fixture(params=["18→18", "15→15", "15→18", "18→15"])
def route(request: pytest.FixtureRequest, pg18: Cluster, pg15: Cluster) -> tuple[Cluster, Cluster]:
    """From which server to which."""
    servers = {"18": pg18, "15": pg15}
    source, _, target = request.param.partition("→")
    return servers[source], servers[target]


@pytest.mark.parametrize("jobs", [0, 1, 3])
def test_restored_database_equals_the_snapshot(
    route: tuple[Cluster, Cluster], make_database: Make, tmp_path: Path, jobs: int
) -> None:
    """Every table, every sequence, from a file by one or several sessions, and from a pipe."""
    dumped = dump(make_database(AWKWARD, cluster=route[0]))
    url = make_database(cluster=route[1])
    verdict = restore(dumped, url, tmp_path, jobs=jobs)
    verdict.require()
    assert {finding.kind for finding in verdict.warnings} <= {Kind.BENIGN}
    assert compare_counts(Target.parse(url), dumped.facts.tables, workers=2) == ()
    assert compare_sequences(Target.parse(url), dumped.facts.sequences) == ()
    assert rows(url, 'SELECT double FROM "User" WHERE id = 21') == [(42,)]
    assert rows(url, "SELECT convert_from(lo_get(oid), 'utf8') FROM pg_largeobject_metadata") == [("large",)]
    assert rows(url, "SELECT * FROM kept") == [(100,)]


def test_differences_are_named(make_database: Make, tmp_path: Path) -> None:
    """Fewer rows, missing and surplus tables, a sequence that went back."""
    url = make_database(AWKWARD)
    facts = dump(url).facts
    execute(url, """DELETE FROM "User" WHERE id = 77; DROP TABLE nothing; CREATE TABLE surplus (a int);
                    SELECT setval('"User_id_seq"', 5); SELECT setval('down', -1); DROP SEQUENCE never;
                    SELECT setval('round', 1, false)""")  # fmt: skip
    target = Target.parse(url)
    assert compare_counts(target, facts.tables) == (
        "table public.nothing is missing",
        "table public.User: 99 rows, 100 in the snapshot",
        "table public.surplus is not in the manifest",
    )
    assert compare_counts(target, facts.tables[:1], whole=False) == ()
    assert set(compare_sequences(target, facts.sequences)) == {
        "sequence public.User_id_seq: stands at 5, before 100 of the snapshot",
        "sequence public.down: stands at -1, before -6 of the snapshot",
        "sequence public.never is missing",
    }


def test_later_sequences_are_no_difference(make_database: Make) -> None:
    """pg_dump reads sequences a moment after the snapshot."""
    url = make_database(AWKWARD)
    facts = dump(url).facts
    execute(url, """SELECT setval('"User_id_seq"', 500), setval('down', -500), nextval('never')""")
    assert compare_sequences(Target.parse(url), facts.sequences) == ()


@pytest.mark.parametrize("jobs", [1, 3])
def test_chosen_tables(route: tuple[Cluster, Cluster], make_database: Make, tmp_path: Path, jobs: int) -> None:
    """With all that belongs to them, into an empty database; the rest stays out."""
    dumped = dump(make_database(AWKWARD, cluster=route[0]))
    url = make_database(cluster=route[1])
    names = ("User", '"my schema"."order ""ü"" \'items\'"', "parted", f'"{LONG}"')
    verdict = restore(dumped, url, tmp_path, jobs=jobs, names=names)
    verdict.require()
    with archive_file([dumped.archive], tmp_path) as file:
        selection = choose(list_file(client_for(18), file), names, roles=dumped.facts.roles)
    chosen = selected(selection, dumped.facts.tables)
    assert len(chosen) == 5
    assert compare_counts(Target.parse(url), chosen, whole=True) == ()
    assert rows(url, "SELECT count(*) FROM pg_constraint WHERE contype = 'f' AND conparentid = 0") == [(1,)]
    assert rows(url, "SELECT nextval('\"User_id_seq\"')") == [(101,)]
    assert rows(url, "SELECT tgname FROM pg_trigger WHERE NOT tgisinternal") == [("touched",)]
    assert rows(url, "SELECT count(*) FROM pg_inherits WHERE inhparent = 'parted'::regclass") == [(2,)]


def test_errors_in_what_comes_along_only_warn(make_database: Make, tmp_path: Path) -> None:
    """A chosen table restored whole passes, though a function that its trigger needs was there already."""
    dumped = dump(make_database("""
        CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN RETURN new; END$$;
        CREATE TABLE t (a int); INSERT INTO t VALUES (1);
        CREATE TRIGGER t BEFORE INSERT ON t FOR EACH ROW EXECUTE FUNCTION f()"""))  # fmt: skip
    url = make_database("CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN RETURN new; END$$")
    verdict = restore(dumped, url, tmp_path, names=("t",))
    assert verdict.passed
    assert [finding.kind for finding in verdict.warnings] == [Kind.SUPPORTING]
    assert not restore(dumped, make_database("CREATE TABLE t (b int)"), tmp_path, names=("t",)).passed


def test_missing_role_is_named(pg18: Cluster, pg15: Cluster, make_database: Make, tmp_path: Path) -> None:
    """A policy for a role that the target server lacks."""
    execute(pg15.url(), "CREATE ROLE auditor")
    url = make_database("CREATE TABLE t (a int); CREATE POLICY p ON t TO auditor", cluster=pg15)
    dumped = dump(url)
    assert "auditor" in dumped.facts.roles
    verdict = restore(dumped, make_database(cluster=pg18), tmp_path)
    assert [finding.kind for finding in verdict.failures] == [Kind.MISSING_ROLE]
    with pytest.raises(RestoreError, match=r'POLICY t p postgres: .*role "auditor" does not exist') as caught:
        verdict.require()
    assert "globals" in (caught.value.hint or "")
    execute(url, "DROP OWNED BY auditor")
    execute(pg15.url(), "DROP ROLE auditor")


def test_missing_extension_is_named(pg18: Cluster, pg15: Cluster, make_database: Make, tmp_path: Path) -> None:
    """One that 18 has and 15 does not."""
    dumped = dump(make_database("CREATE EXTENSION pg_logicalinspect"))
    verdict = restore(dumped, make_database(cluster=pg15), tmp_path)
    assert Kind.MISSING_EXTENSION in {finding.kind for finding in verdict.failures}


def test_objects_in_the_way_fail_the_restore(make_database: Make, tmp_path: Path) -> None:
    """Old tables with the same counts must not pass for restored ones."""
    sql = "CREATE TABLE t (a int); INSERT INTO t VALUES (1), (2)"
    dumped = dump(make_database(sql))
    url = make_database(sql)
    for jobs in (0, 1, 2):
        verdict = restore(dumped, url, tmp_path, jobs=jobs)
        assert Kind.ALREADY_EXISTS in {finding.kind for finding in verdict.failures}


def test_without_rights_the_restore_fails(pg18: Cluster, make_database: Make, tmp_path: Path) -> None:
    """Each refusal is found."""
    dumped = dump(make_database("CREATE TABLE t (a int); CREATE TABLE u (a int)"))
    execute(pg18.url(), "CREATE ROLE weak LOGIN PASSWORD 'x'")
    url = make_database()
    try:
        verdict = restore(dumped, f"postgresql://weak:x@{url.rpartition('@')[2]}", tmp_path)
        assert {Kind.PERMISSION} <= {finding.kind for finding in verdict.failures}
        assert not any("counts" in finding.message for finding in verdict.failures)
    finally:
        execute(pg18.url(), "DROP ROLE weak")


@pytest.mark.parametrize("jobs", [0, 1, 2])
def test_broken_connection_fails_the_restore(make_database: Make, tmp_path: Path, jobs: int) -> None:
    """The server ends a session amid the rows."""
    dumped = dump(
        make_database("CREATE TABLE t AS SELECT n, repeat(md5(n::text), 9) x FROM generate_series(1, 99999) n")
    )
    url = make_database()
    name = Target.parse(url).database
    striking = threading.Event()

    def strike() -> None:
        while not striking.wait(0.005):
            with suppress(Exception):
                execute(url, "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE 'COPY%'"
                             f" AND datname = '{name}'")  # fmt: skip

    thread = threading.Thread(target=strike)
    thread.start()
    try:
        verdict = restore(dumped, url, tmp_path, jobs=jobs)
    finally:
        striking.set()
        thread.join()
    assert Kind.CONNECTION_LOST in {finding.kind for finding in verdict.failures}


@pytest.mark.parametrize("jobs", [0, 1, 2])
def test_damaged_archive_fails_the_restore(make_database: Make, tmp_path: Path, jobs: int) -> None:
    """Cut, or changed amid the rows."""
    dumped = dump(make_database("CREATE TABLE t AS SELECT n, md5(n::text) x FROM generate_series(1, 20000) n"))
    middle = len(dumped.archive) // 2
    for archive in (dumped.archive[:middle], dumped.archive[:middle] + bytes(2000) + dumped.archive[middle + 2000 :]):
        damaged = Dumped(archive, dumped.client, dumped.facts)
        assert not restore(damaged, make_database(), tmp_path, jobs=jobs).passed


def test_error_of_the_pieces_passes_through(make_database: Make) -> None:
    """Such as of a file that does not decrypt to its end."""
    dumped = dump(make_database("CREATE TABLE t (a int)"))

    def pieces() -> Iterator[bytes]:
        yield dumped.archive[:100]
        raise ValueError("damaged")

    with pytest.raises(ValueError, match="damaged"):
        restore_pipe(client_for(18), Target.parse(make_database()), pieces())


def test_archive_file_has_no_name_and_bears_a_full_disk(tmp_path: Path) -> None:
    """Nothing is ever to be seen in the folder; a full disk is told with the way out."""
    with archive_file([b"a" * 1000, b"b"], tmp_path) as file:
        assert Path(f"/proc/self/fd/{file}").read_bytes() == b"a" * 1000 + b"b"
        assert list(tmp_path.iterdir()) == []
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, before[1]))
    try:
        with pytest.raises(TransientError, match="too little space") as caught, archive_file([bytes(20_000)], tmp_path):
            raise AssertionError("it must not come so far")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert "--jobs 1" in (caught.value.hint or "")


# Restores the archive in a file by three sessions and is killed in the middle.
RESTORER = """\
import os, sys
from pathlib import Path
from holdfast.postgres.binaries import client_for
from holdfast.postgres.conninfo import Target
from holdfast.postgres.restoration import archive_file, restore_file
with archive_file([Path(sys.argv[1]).read_bytes()], Path(sys.argv[1]).parent) as file:
    restore_file(client_for(18), Target.parse(sys.stdin.readline()), file, jobs=3)
"""


def sessions(url: str) -> int:
    """How many sessions of pg_restore are in the database."""
    query = "SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND application_name = 'pg_restore'"
    return len(rows(url, query))


def test_killed_restore_leaves_no_process_and_no_session(make_database: Make, tmp_path: Path) -> None:
    """Kill -9: the kernel tells pg_restore, which tells its workers, which cancel what they run."""
    sql = "".join(f"CREATE TABLE t{n} AS SELECT m, md5(m::text) x FROM generate_series(1, 60000) m;" for n in range(6))
    dumped = dump(make_database(sql))
    url = make_database()
    (tmp_path / "archive").write_bytes(dumped.archive)
    environment = {"PYTHONPATH": os.pathsep.join(sys.path), "PATH": os.environ["PATH"]}
    argv = [sys.executable, "-c", RESTORER, str(tmp_path / "archive")]
    with subprocess.Popen(argv, env=environment, stdin=subprocess.PIPE, text=True) as restorer:
        assert restorer.stdin is not None
        restorer.stdin.write(url + "\n")
        restorer.stdin.flush()
        deadline = time.monotonic() + 30
        while sessions(url) < 3:
            assert time.monotonic() < deadline
            assert restorer.poll() is None
        restorer.kill()
    deadline = time.monotonic() + 10
    while sessions(url):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    marker = Target.parse(url).database.encode()
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        with suppress(OSError):
            command = path.read_bytes()
            assert not (b"pg_restore" in command and marker in command)


def test_large_restore_in_several_sessions_is_judged_exactly(
    pg15: Cluster, make_database: Make, tmp_path: Path
) -> None:
    """Many sessions of a newer client on an older server complain at once; none of it is lost or garbled."""
    tables = "".join(
        f"CREATE TABLE t{n} AS SELECT generate_series(1, 10) a; CREATE INDEX ON t{n} (a);" for n in range(60)
    )
    dumped = dump(make_database(tables))
    url = make_database(cluster=pg15)
    started = time.monotonic()
    verdict = restore(dumped, url, tmp_path, jobs=6)
    assert verdict.passed, [str(finding) for finding in verdict.failures]
    assert len(verdict.warnings) == 1
    assert compare_counts(Target.parse(url), dumped.facts.tables) == ()
    assert time.monotonic() - started < 60

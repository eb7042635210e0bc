"""Dumps of real servers: whole or an error, within the snapshot, with no secret anywhere."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import quote

import pytest

from awkward import AWKWARD, ROWS
from fix_postgres import execute, rows
from holdfast.errors import DatabaseUnavailable, IntegrityError, ToolError, UsageError
from holdfast.manifest.model import SourceFacts
from holdfast.postgres.archive_list import Listing, differences, list_archive, list_file
from holdfast.postgres.binaries import Client, client_for
from holdfast.postgres.conninfo import Target
from holdfast.postgres.dump import archive_pieces, dump_stream, globals_stream, plan_dump
from holdfast.postgres.restoration import archive_file
from holdfast.postgres.snapshot import exported_snapshot
from holdfast.postgres.wheel import wheel_folder
from holdfast.recovery.cluster import Cluster

Make = Callable[..., str]

WORD = "p@:/%#? ü'\"\\ word"

MUCH = "CREATE TABLE much AS SELECT n, repeat(md5(n::text), 20) AS text FROM generate_series(1, 60000) n"


@pytest.fixture(params=["18", "15"])
def cluster(request: pytest.FixtureRequest, pg18: Cluster, pg15: Cluster) -> Cluster:
    """Either server."""
    return {"18": pg18, "15": pg15}[request.param]


def dump(url: str) -> tuple[bytes, str, Client, SourceFacts]:
    """The artifact, its format, the client, the facts."""
    with exported_snapshot(Target.parse(url)) as snapshot, snapshot.counting() as counting:
        plan = plan_dump(client_for(snapshot.server_major))
        return b"".join(dump_stream(plan, snapshot)), plan.format, plan.client, counting.result()


def listed(artifact: bytes, format: str, client: Client) -> Listing:
    """Its table of contents."""
    return list_archive(client, archive_pieces(format, [artifact]))


def backends(url: str) -> list[int]:
    """Server processes of pg_dump in that database."""
    return [
        int(str(pid))
        for (pid,) in rows(
            url,
            "SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND application_name = 'pg_dump'",
        )
    ]


def test_dump_holds_the_tables_of_the_snapshot(cluster: Cluster, make_database: Make) -> None:
    """Each client in its own form; the list equals what was counted."""
    artifact, format, client, facts = dump(make_database(AWKWARD, cluster=cluster))
    assert format == {15: "custom+zstd", 18: "custom"}[client.major]
    assert {(table.schema_name, table.name): table.rows for table in facts.tables} == ROWS
    listing = listed(artifact, format, client)
    assert differences(listing, facts.tables) == ()
    assert listing.format_version == {15: "1.14", 18: "1.16"}[client.major]
    assert listing.dumped_by == client.version().split(" ")[0]


def test_newer_client_dumps_older_server(pg15: Cluster, make_database: Make) -> None:
    """A matching client need not be there."""
    url = make_database(AWKWARD, cluster=pg15)
    with exported_snapshot(Target.parse(url)) as snapshot:
        plan = plan_dump(client_for(18))
        artifact = b"".join(dump_stream(plan, snapshot))
        assert differences(listed(artifact, plan.format, plan.client), snapshot.count().tables) == ()


def test_dump_sees_the_snapshot_only(cluster: Cluster, make_database: Make, tmp_path: Path) -> None:
    """Tables made after it are not in the dump."""
    url = make_database("CREATE TABLE t (a int)", cluster=cluster)
    with exported_snapshot(Target.parse(url)) as snapshot:
        execute(url, "CREATE TABLE later (a int)")
        plan = plan_dump(client_for(snapshot.server_major))
        artifact = b"".join(dump_stream(plan, snapshot))
        listing = listed(artifact, plan.format, plan.client)
        assert [entry.rest for entry in listing.tables] == ["public t postgres"]


def test_list_of_an_open_file(make_database: Make, tmp_path: Path) -> None:
    """The same list as from the stream."""
    artifact, format, client, _ = dump(make_database(AWKWARD))
    with archive_file(archive_pieces(format, [artifact]), tmp_path) as file:
        assert list_file(client, file).entries == listed(artifact, format, client).entries


def test_listing_consumes_the_archive_to_its_end(make_database: Make) -> None:
    """pg_restore stops after the head; a hash over the pieces must still see all of them."""
    artifact, format, client, _ = dump(make_database(MUCH))
    taken = []

    def pieces() -> Iterator[bytes]:
        for start in range(0, len(artifact), 65536):
            taken.append(artifact[start : start + 65536])
            yield taken[-1]

    assert len(list_archive(client, archive_pieces(format, pieces())).tables) == 1
    assert b"".join(taken) == artifact


@pytest.mark.parametrize("damage", [b"", b"PGDMP", b"no archive at all" * 100])
def test_what_is_no_archive_cannot_be_listed(damage: bytes) -> None:
    """An IntegrityError that carries what pg_restore said."""
    with pytest.raises(IntegrityError, match="pg_restore cannot list it"):
        list_archive(client_for(18), [damage])


def test_newer_archive_is_refused_by_older_pg_restore(make_database: Make) -> None:
    """Which is why the manifest records the client."""
    artifact, format, _, _ = dump(make_database())
    with pytest.raises(IntegrityError, match="unsupported version"):
        listed(artifact, format, client_for(15))


@pytest.mark.parametrize("change", ["cut", "flip"])
def test_damaged_outer_zstd_is_refused(pg15: Cluster, make_database: Make, change: str) -> None:
    """Cut or changed."""
    artifact, format, _, _ = dump(make_database(MUCH, cluster=pg15))
    middle = len(artifact) // 2
    damaged = {
        "cut": artifact[:-5],
        "flip": artifact[:middle] + bytes([artifact[middle] ^ 1]) + artifact[middle + 1 :],
    }[change]
    with pytest.raises(IntegrityError, match="archive"):
        for _ in archive_pieces(format, [damaged[start : start + 9999] for start in range(0, len(damaged), 9999)]):
            pass


def test_unknown_format_is_refused() -> None:
    """Of a manifest of a later version, say."""
    with pytest.raises(UsageError, match="archive format 'tar'"):
        archive_pieces("tar", [])


def test_broken_connection_is_transient_and_never_a_short_dump(cluster: Cluster, make_database: Make) -> None:
    """The server process of pg_dump ends amid the dump."""
    url = make_database(MUCH, cluster=cluster)
    with exported_snapshot(Target.parse(url)) as snapshot:
        pieces = dump_stream(plan_dump(client_for(snapshot.server_major)), snapshot)
        next(pieces)
        execute(url, f"SELECT pg_terminate_backend({backends(url)[0]})")
        with pytest.raises(DatabaseUnavailable, match="pg_dump failed"):
            b"".join(pieces)


def test_closing_the_stream_ends_pg_dump(cluster: Cluster, make_database: Make) -> None:
    """And its server process with it."""
    url = make_database(MUCH, cluster=cluster)
    with exported_snapshot(Target.parse(url)) as snapshot:
        pieces = dump_stream(plan_dump(client_for(snapshot.server_major)), snapshot)
        next(pieces)
        assert len(backends(url)) == 1
        pieces.close()
        deadline = time.monotonic() + 10
        while backends(url):
            assert time.monotonic() < deadline
            time.sleep(0.01)


def test_no_secret_in_argv_environment_of_others_or_errors(pg18: Cluster, make_database: Make) -> None:
    """The password travels in pg_dump's environment and nowhere else."""
    url = make_database(MUCH)
    doubled = WORD.replace("'", "''")
    execute(url, f"CREATE ROLE keeper LOGIN SUPERUSER PASSWORD '{doubled}'")
    place = url.rpartition("@")[2]
    target = Target.parse(f"postgresql://keeper:{quote(WORD, safe='')}@{place}")
    try:
        with exported_snapshot(target) as snapshot:
            pieces = dump_stream(plan_dump(client_for(snapshot.server_major)), snapshot)
            next(pieces)
            lines = [path.read_bytes() for path in Path("/proc").glob("[0-9]*/cmdline") if is_readable(path)]
            pieces.close()
        assert any(b"--snapshot" in line for line in lines)
        for spelling in target.secrets:
            assert not any(spelling.encode() in line for line in lines)
        wrong = target.with_parameters(password=WORD + "!")
        with pytest.raises(UsageError, match="authentication failed") as caught, exported_snapshot(wrong):
            raise AssertionError("it must not come so far")
        shown = f"{caught.value!r} {caught.value} {caught.value.hint} {caught.value.__cause__} {target!r} {snapshot!r}"
        for spelling in target.secrets:
            assert spelling not in shown
    finally:
        execute(url, "DROP ROLE keeper")


def is_readable(path: Path) -> bool:
    """Does the process still exist?"""
    try:
        path.read_bytes()
    except OSError:
        return False
    return True


def test_globals_hold_roles_without_passwords(cluster: Cluster, make_database: Make) -> None:
    """For restores on a new server; from the database itself, which need not be called postgres."""
    url = make_database(name='it\'s = "odd" ü', cluster=cluster)
    execute(url, "CREATE ROLE member LOGIN PASSWORD 'hunter2' IN ROLE pg_monitor CONNECTION LIMIT 3")
    try:
        client = client_for(cluster_major(cluster))
        text = b"".join(globals_stream(client, Target.parse(url))).decode()
    finally:
        execute(url, "DROP ROLE member")
    assert "CREATE ROLE member" in text
    assert re.search(r"GRANT pg_monitor TO member", text)
    assert "PASSWORD" not in text
    assert "SCRAM" not in text


def cluster_major(cluster: Cluster) -> int:
    """The server's major."""
    return 18 if cluster.bin == wheel_folder() else 15


def test_dump_of_a_server_that_went_away_is_transient(make_database: Make) -> None:
    """The client starts, the connection does not come about."""
    url = make_database("CREATE TABLE t (a int)")
    with exported_snapshot(Target.parse(url)) as snapshot:
        snapshot.target = snapshot.target.with_parameters(port="1")
        with pytest.raises(DatabaseUnavailable, match="refused"):
            b"".join(dump_stream(plan_dump(client_for(18)), snapshot))


def test_vanished_snapshot_is_an_error(make_database: Make) -> None:
    """pg_dump cannot join it."""
    with exported_snapshot(Target.parse(make_database())) as snapshot:
        pass
    with pytest.raises(ToolError, match="snapshot"):
        b"".join(dump_stream(plan_dump(client_for(18)), snapshot))

"""A recovery server by its connection: one database of our own there, and nobody else's is touched."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from fix_postgres import execute, rows
from fix_recovery import NAME
from holdfast.errors import DatabaseUnavailable, DrillError
from holdfast.postgres.conninfo import Target
from holdfast.postgres.session import connect
from holdfast.recovery import opened_recovery, prepare_recovery, remove_recovery
from holdfast.recovery.cluster import Cluster
from holdfast.recovery.loopback import unused_port

NOW = datetime.now(UTC)
PASSWORD = "kept to 0urselves/"


@pytest.fixture
def server(pg18: Cluster, recovery_folder: Path) -> Iterator[Target]:
    """A server on the network, and a role there that may create databases and nothing else."""
    execute(pg18.url(), f"CREATE ROLE rehearsal LOGIN CREATEDB PASSWORD '{PASSWORD}'")
    yield Target.parse(pg18.url(user="rehearsal", password=PASSWORD))
    for entry in recovery_folder.iterdir():
        remove_recovery(recovery_folder, entry.name)
    execute(pg18.url(), "DROP ROLE rehearsal")


def prepare(root: Path, server: Target, *, name: str = NAME, major: int = 18) -> None:
    """Make the environment there."""
    prepare_recovery(root, name, source_major=major, database="shop", server=server, now=NOW)


def databases(pg18: Cluster) -> set[object]:
    """The names of all that are there."""
    return {name for (name,) in rows(pg18.url(), "SELECT datname FROM pg_database")}


def test_database_is_of_our_own_name_and_goes_with_the_environment(
    recovery_folder: Path, server: Target, pg18: Cluster
) -> None:
    """Even with sessions in it; its neighbours stay."""
    before = databases(pg18)
    prepare(recovery_folder, server)
    prepare(recovery_folder, server)
    with opened_recovery(recovery_folder, NAME) as recovery:
        assert not recovery.is_throwaway
        assert recovery.database.startswith("holdfast_")
        assert recovery.database.endswith("20261122t090000z_restore_drill_4f9c2a")
        assert len(recovery.database) <= 63
        with connect(server) as session:
            session.execute(f'CREATE DATABASE "{recovery.database}"'.encode())
        recovery.reset_database()
        with connect(server) as session:
            session.execute(f'CREATE DATABASE "{recovery.database}"'.encode())
        assert rows(recovery.url, "SELECT current_database()") == [(recovery.database,)]
        assert recovery.surroundings("18.0").is_same_major
        recovery.ensure_roles(["somebody"])
    with connect(recovery.target):
        assert remove_recovery(recovery_folder, NAME)
    assert databases(pg18) == before
    assert ("somebody",) not in rows(pg18.url(), "SELECT rolname FROM pg_roles")


def test_password_is_kept_where_only_we_read(recovery_folder: Path, server: Target) -> None:
    """The environment is found again by its name alone, so it must know the way to its server."""
    prepare(recovery_folder, server)
    holding = [path for path in (recovery_folder / NAME).rglob("*") if path.is_file() and PASSWORD in path.read_text()]
    assert [path.name for path in holding] == ["server.json"]
    assert holding[0].stat().st_mode & 0o777 == 0o600
    with opened_recovery(recovery_folder, NAME) as recovery:
        assert PASSWORD not in repr(recovery.target)


def test_isolated_commands_could_not_reach_it(recovery_folder: Path, server: Target) -> None:
    """The policy must say that the host is isolated; then they can."""
    prepare(recovery_folder, server)
    with opened_recovery(recovery_folder, NAME) as recovery:
        with pytest.raises(DrillError, match="could not reach the recovery server") as caught:
            recovery.confine("isolated")
        assert "isolated-host" in (caught.value.hint or "")
        call = f"bash -c 'exec 3<>/dev/tcp/127.0.0.1/{server.port} && echo $0 reached' postgres"
        done = recovery.run(call, cwd=recovery.home, env={}, network="isolated-host", timeout_s=30)
    assert done.said == ("postgres reached",)


def test_unfit_servers_are_refused(recovery_folder: Path, server: Target, pg18: Cluster, pg15: Cluster) -> None:
    """Older than the source, without the right to create a database, not there; all can be removed again."""
    with pytest.raises(DrillError, match="of version 15, older than the source's 18"):
        prepare(recovery_folder, Target.parse(pg15.url()))
    execute(pg18.url(), "ALTER ROLE rehearsal NOCREATEDB")
    with pytest.raises(DrillError, match="may not create databases") as caught:
        prepare(recovery_folder, server)
    assert caught.value.hint == 'Run there: ALTER ROLE "rehearsal" CREATEDB;'
    with pytest.raises(DatabaseUnavailable):
        prepare(recovery_folder, server.with_parameters(port=str(unused_port())), name="away")
    with pytest.raises(DatabaseUnavailable):
        remove_recovery(recovery_folder, "away")
    (recovery_folder / "away" / "server.json").unlink()
    assert remove_recovery(recovery_folder, "away")

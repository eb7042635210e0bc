"""Point-in-time recovery of real clusters: exactly to the target, and a data directory that anybody can start."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from fix_postgres import DEBIAN_15, execute, rows
from fix_recover import KEPT, History, names, started, streamed_site
from fix_wal import streamable
from holdfast.errors import PermanentError, UsageError
from holdfast.pitr import recover, replayed_server
from holdfast.pitr.destination import MARK
from holdfast.pitr.programs import programs_for
from holdfast.values.lsn import Lsn


def test_recover_to_a_time_between_two_commits(history: History, tmp_path: Path) -> None:
    """The first is there, the second is not; the cluster starts, with a timeline of its own."""
    history.base()
    history.step("first")
    history.step("second")
    history.store()
    data = tmp_path / "recovered"
    done = recover(history.site.environment(), history.plan(to=history.at["first"].isoformat()), data)
    assert done.timeline == 2
    assert done.reached_time is not None
    assert done.reached_time <= history.at["first"]
    with started(data, history.cluster) as url:
        assert names(url) == ["first"]


def test_nothing_of_ours_is_left_in_the_data_directory(history: History, tmp_path: Path) -> None:
    """What a base backup or a recovery leaves would mislead whoever starts it; ALTER SYSTEM's file is the source's."""
    execute(history.cluster.url(), "ALTER SYSTEM SET work_mem = '5MB'")
    history.base()
    history.step("first")
    history.store()
    data = tmp_path / "recovered"
    recover(history.site.environment(), history.plan(latest=True), data)
    execute(history.cluster.url(), "ALTER SYSTEM RESET work_mem")
    left = {path.name for path in data.iterdir()}
    assert not left & {"recovery.signal", "standby.signal", "backup_label", "backup_label.old", "backup_manifest"}
    assert not [name for name in left if name.startswith("holdfast")]
    assert "work_mem" in (data / "postgresql.auto.conf").read_text()
    assert data.stat().st_mode & 0o777 == 0o700
    assert {path.stat().st_uid for path in data.rglob("*")} == {data.stat().st_uid}


def test_recover_to_the_very_end_of_the_stored_wal(history: History, tmp_path: Path) -> None:
    """All of the WAL up to the position is there, though no record follows it; inside the last record as well."""
    history.base()
    history.step("first")
    history.store()
    environment = history.site.environment()
    end = history.plan(latest=True).window.end_lsn
    for number, wanted in enumerate((end, Lsn(end.value - 1))):
        data = tmp_path / f"end{number}"
        done = recover(environment, history.plan(to_lsn=str(wanted)), data)
        assert Lsn.parse(done.reached_lsn) == end
        with started(data, history.cluster) as url:
            assert names(url) == ["first"]


def test_recover_to_a_position_a_name_and_the_latest(history: History, tmp_path: Path) -> None:
    """Each ends exactly there; the marker tells where the source was."""
    history.base()
    history.step("first")
    history.step("named", "SELECT pg_create_restore_point('before the migration')")
    history.step("last")
    history.store()
    environment = history.site.environment()
    seen = {}
    targets = {"lsn": {"to_lsn": history.lsn["first"]}, "name": {"to_name": "before the migration"}}
    for kind, target in (targets | {"latest": {"latest": True}}).items():
        with replayed_server(environment, history.plan(**target), tmp_path / kind) as server:
            with psycopg.connect(server.target.conninfo()) as session:
                seen[kind] = [row[0] for row in session.execute("SELECT name FROM steps ORDER BY at")]
            assert server.is_cut_off
        assert (tmp_path / kind / MARK).exists()
    assert seen == {"lsn": ["first"], "name": ["first"], "latest": ["first", "named", "last"]}
    assert server.recovered.marker is not None
    assert server.recovered.marker[0] == len(history.marks)


def test_incremental_base_backups_are_combined(history: History, tmp_path: Path) -> None:
    """A full one and two that build on it, then WAL."""
    execute(history.cluster.url(), "DROP TABLE IF EXISTS bulk; CREATE TABLE bulk AS SELECT generate_series(1, 20000) n")
    history.base()
    history.step("first", "UPDATE bulk SET n = n + 1 WHERE n < 100")
    history.base(full=False)
    history.step("second", "UPDATE bulk SET n = n + 1 WHERE n < 50")
    history.base(full=False)
    history.step("third")
    history.store()
    plan = history.plan(latest=True)
    assert (plan.base.kind, len(plan.chain)) == ("incremental", 2)
    data = tmp_path / "recovered"
    recover(history.site.environment(), plan, data)
    with started(data, history.cluster) as url:
        assert names(url) == ["first", "second", "third"]
        total = rows(history.cluster.url(), "SELECT sum(n), count(*) FROM bulk")
        assert rows(url, "SELECT sum(n), count(*) FROM bulk") == total


def test_a_name_before_the_newest_base_backup_is_found(history: History, tmp_path: Path) -> None:
    """Nobody knows where a name lies: an older base backup is tried when the newest has gone past it."""
    first = history.base()
    history.step("first", "SELECT pg_create_restore_point('long ago')")
    history.base()
    history.step("second")
    history.store()
    with replayed_server(history.site.environment(), history.plan(to_name="long ago"), tmp_path / "data") as server:
        assert server.recovered.base_backup == str(first)
        with psycopg.connect(server.target.conninfo()) as session:
            assert session.execute("SELECT to_regclass('steps')").fetchone() in [(None,), ("steps",)]


def test_an_idle_source_is_recovered_to_an_instant_without_a_later_commit(history: History, tmp_path: Path) -> None:
    """PostgreSQL ends with an error where no commit follows the target; the window says that none lacks."""
    history.base()
    history.step("first")
    lsn = rows(history.cluster.url(), "SELECT pg_current_wal_insert_lsn()::text, clock_timestamp()")[0]
    newest = history.marks[-1]
    history.marks[-1] = newest.model_copy(update={"number": None, "at": lsn[1], "seen_at": lsn[1], "lsn": lsn[0]})
    history.store()
    plan = history.plan(to=history.marks[-1].at.isoformat())
    data = tmp_path / "recovered"
    done = recover(history.site.environment(), plan, data)
    assert done.reached_time is not None
    with started(data, history.cluster) as url:
        assert names(url) == ["first"]


@pytest.fixture
def failed_over(tmp_path: Path) -> Iterator[History]:
    """A history in which a standby was promoted between two steps, so that its WAL goes on on timeline 2."""
    with streamable(tmp_path / "source", segment_mb=1, config=KEPT) as cluster:
        history = History(cluster, streamed_site(tmp_path, cluster))
        history.base()
        history.step("first")
        history.store()
        cluster.stop()
        (cluster.data / "standby.signal").touch()
        cluster.start()
        execute(cluster.url(), "SELECT pg_promote()")
        history.step("second")
        history.switch()
        history.step("third")
        history.store()
        yield history


def test_recovery_follows_a_failover(failed_over: History, tmp_path: Path) -> None:
    """From a base backup of timeline 1 over the switch, and to an instant before it; a new timeline each time."""
    environment = failed_over.site.environment()
    seen = {}
    for name in ("first", "second", "third"):
        plan = failed_over.plan(to=failed_over.at[name].isoformat())
        with replayed_server(environment, plan, tmp_path / name) as server:
            assert server.recovered.timeline == 3
            with psycopg.connect(server.target.conninfo()) as session:
                seen[name] = [row[0] for row in session.execute("SELECT name FROM steps ORDER BY at")]
    assert seen == {"first": ["first"], "second": ["first", "second"], "third": ["first", "second", "third"]}


def test_limits_that_the_source_raises_on_the_way_are_raised_here(tmp_path: Path) -> None:
    """A server with smaller limits than those in the WAL stands still; it is started with larger ones."""
    with streamable(tmp_path / "source", segment_mb=1, config=KEPT) as cluster:
        history = History(cluster, streamed_site(tmp_path, cluster))
        history.base()
        history.step("first")
        cluster.stop()
        cluster._config["max_connections"] = "133"
        cluster.start()
        history.step("second")
        history.store()
        data = tmp_path / "recovered"
        recover(history.site.environment(), history.plan(latest=True), data)
        with started(data, cluster) as url:
            assert names(url) == ["first", "second"]


def test_postgresql_15_and_its_missing_configuration(tmp_path: Path) -> None:
    """Segments of 16 MiB, another major version, and, as on Debian, no configuration in the data directory."""
    with streamable(tmp_path / "source", DEBIAN_15, config=KEPT) as cluster:
        history = History(cluster, streamed_site(tmp_path, cluster))
        for name in ("postgresql.conf", "pg_hba.conf", "pg_ident.conf"):
            (cluster.data / name).rename(tmp_path / name)
        history.base()
        history.step("first")
        history.store()
        data = tmp_path / "recovered"
        for name in ("postgresql.conf", "pg_hba.conf", "pg_ident.conf"):
            (tmp_path / name).rename(cluster.data / name)
        done = recover(history.site.environment(), history.plan(latest=True), data)
        assert any("elsewhere" in note for note in done.notes)
        with started(data, cluster) as url:
            assert names(url) == ["first"]


def test_the_open_segment_may_grow_while_it_is_recovered(history: History, tmp_path: Path) -> None:
    """The streamer stores more of it, and removes what it had: the new piece serves."""
    history.base()
    history.step("first")
    (partial,) = history.store()
    plan = history.plan(latest=True)
    history.step("second")
    history.store()
    for path in history.site.store_folder.rglob(f"{partial}*"):
        path.unlink()
    with (
        replayed_server(history.site.environment(), plan, tmp_path / "data") as server,
        psycopg.connect(server.target.conninfo()) as session,
    ):
        assert [row[0] for row in session.execute("SELECT name FROM steps ORDER BY at")] == ["first", "second"]


def test_other_major_versions_are_refused() -> None:
    """WAL is replayed by the version that wrote it, or not at all."""
    with pytest.raises(PermanentError, match=r"PostgreSQL 14: .*the nearest found is 15"):
        programs_for(14, with_combine=False)


def test_occupied_directories_are_refused(history: History, tmp_path: Path) -> None:
    """Nothing is ever written over, nor into the store."""
    history.base()
    history.store()
    environment, plan = history.site.environment(), history.plan(latest=True)
    (tmp_path / "full").mkdir()
    (tmp_path / "full/precious").write_text("kept")
    with pytest.raises(UsageError, match="not empty: precious"):
        recover(environment, plan, tmp_path / "full")
    with pytest.raises(UsageError, match="it lies in"):
        recover(environment, plan, history.site.store_folder / "data")
    assert (tmp_path / "full/precious").read_text() == "kept"

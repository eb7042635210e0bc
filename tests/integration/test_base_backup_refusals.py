"""What stops a base backup is found before it starts, and says what to do; a standby may give one."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from base_backups import KEPT, all_base_files, manifest_of, opened, put_wal, set_hba, started, take, verify
from fix_environment import Site
from fix_postgres import FAST, execute, rows
from fix_wal import PASSWORD, ROLE, MakeStreamed, Streamed, streamable, streamer_url
from holdfast.backup.base import commit_base_backup, store_base_backup, take_base_backup
from holdfast.catalog import WalPiece
from holdfast.errors import (
    DatabaseError,
    DatabaseUnavailable,
    HoldfastError,
    PermanentError,
    TransientError,
    UsageError,
)
from holdfast.postgres.conninfo import Target
from holdfast.recovery.account import server_account
from holdfast.recovery.cluster import Cluster
from wal_storing import put, store_wal


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """PostgreSQL 18 with two WAL senders and whole pages, which a standby wants, where tablespaces need no folder."""
    config = KEPT | {"full_page_writes": "on", "max_wal_senders": "2", "allow_in_place_tablespaces": "on"}
    with streamable(tmp_path_factory.mktemp("refusing"), segment_mb=1, config=config) as made:
        yield made


@pytest.fixture
def streamed(cluster: Cluster, make_streamed: MakeStreamed) -> Streamed:
    """A site for it, with an empty store."""
    return make_streamed(cluster)


def _refused(site: Site, kind: type[HoldfastError]) -> HoldfastError:
    """What a base backup raises; nothing of it is stored."""
    with pytest.raises(kind) as caught:
        take_base_backup(site.environment())
    assert all_base_files(site) == []
    return caught.value


def test_tablespaces_are_refused_and_named(streamed: Streamed) -> None:
    """A cluster with more than one tablespace is refused before anything is read of it."""
    streamed.execute("CREATE TABLESPACE archive_2019 LOCATION ''")
    streamed.execute("CREATE TABLESPACE fast LOCATION ''")
    try:
        error = _refused(streamed.site, DatabaseError)
    finally:
        streamed.execute("DROP TABLESPACE archive_2019")
        streamed.execute("DROP TABLESPACE fast")
    assert "archive_2019, fast" in error.message
    assert error.hint is not None and "pg_default" in error.hint


def test_role_without_replication_is_refused(streamed: Streamed) -> None:
    """A role that may read everything but start no WAL sender; the hint grants it what it lacks."""
    streamed.execute("CREATE ROLE base_plain LOGIN PASSWORD 'plain-one' IN ROLE pg_read_all_data, pg_monitor")
    streamed.site.variables["AIRFLOW_CONN_SHOP_DB"] = streamed.cluster.url("postgres", "base_plain", "plain-one")
    error = _refused(streamed.site, DatabaseError)
    assert error.hint == 'Give the role that right: ALTER ROLE "base_plain" REPLICATION.'


def test_missing_line_in_pg_hba_is_refused(streamed: Streamed) -> None:
    """A role with the right, whom pg_hba.conf does not let in to replicate."""
    streamed.execute("CREATE ROLE base_shut LOGIN REPLICATION PASSWORD 'shut-out'")
    set_hba(streamed.cluster, "host replication base_shut 127.0.0.1/32 reject")
    streamed.site.variables["AIRFLOW_CONN_SHOP_DB"] = streamed.cluster.url("postgres", "base_shut", "shut-out")
    error = _refused(streamed.site, UsageError)
    assert error.hint is not None and "host replication base_shut" in error.hint


def test_busy_wal_senders_are_told(streamed: Streamed, tmp_path: Path) -> None:
    """All WAL senders in use: said so, as something that passes."""
    target = Target.parse(streamer_url(streamed.cluster))
    argv = [str(streamed.cluster.bin / "pg_receivewal"), "--no-sync", "-D"]
    environment = {"PATH": os.environ["PATH"]} | target.environment()
    receivers = []
    try:
        for number in (1, 2):
            folder = tmp_path / str(number)
            folder.mkdir()
            receivers.append(subprocess.Popen([*argv, str(folder)], env=environment, stderr=subprocess.DEVNULL))
        while streamed.sql("SELECT count(*) FROM pg_stat_replication") != [(2,)]:
            assert all(receiver.poll() is None for receiver in receivers)
        error = _refused(streamed.site, DatabaseUnavailable)
    finally:
        for receiver in receivers:
            receiver.kill()
            receiver.wait()
    assert "max_wal_senders" in error.message


def test_minimal_wal_level_is_refused(make_streamed: MakeStreamed, tmp_path: Path) -> None:
    """A server that writes too little WAL, and starts no WAL sender; the hint says which setting to change."""
    config = {"wal_level": "minimal", "max_wal_senders": "0"}
    with streamable(tmp_path / "minimal", config=config) as minimal:
        error = _refused(make_streamed(minimal).site, DatabaseError)
    assert "wal_level is minimal" in error.message
    assert error.hint is not None and "wal_level = 'replica'" in error.hint


def test_another_cluster_is_refused(streamed: Streamed) -> None:
    """A store that holds another cluster's WAL takes no base backup until the policy says that this is meant."""
    environment = streamed.site.environment()
    other = WalPiece.segment("7000000000000000001", "000000010000000000000003")
    put(environment, other, bytes(1 << 20), 1 << 20, 180_000)
    error = _refused(streamed.site, PermanentError)
    assert "7000000000000000001" in error.message
    own = streamed.sql("SELECT system_identifier::text FROM pg_control_system()")[0][0]
    streamed.site.edit_policy("pitr: streaming}", f'pitr: streaming, system_identifier: "{own}"}}')
    assert take(streamed).kind == "full"
    streamed.site.edit_policy(f'"{own}"', '"7000000000000000002"')
    with pytest.raises(PermanentError, match="7000000000000000002"):
        take_base_backup(streamed.site.environment())


def test_missing_segment_is_named_after_the_time_out(streamed: Streamed) -> None:
    """Without its WAL a base backup does not exist; once that is stored, the commit succeeds."""
    streamed.site.edit_policy("wal: {slot", "wal: {wait_for_wal: 1s, slot")
    environment = streamed.site.environment()
    id = store_base_backup(environment, opened_at=environment.clock(), origin="waiting")
    with pytest.raises(TransientError) as caught:
        commit_base_backup(environment, id)
    assert caught.value.hint is not None and "wal stream" in caught.value.hint
    assert not environment.base_catalog.entry(id).is_committed
    store_wal(environment, streamed.cluster)
    facts = commit_base_backup(environment, id)
    name = rows(streamed.cluster.url(), f"SELECT pg_walfile_name('{facts.start_lsn}')")[0][0]
    assert f"WAL segment {name} " in caught.value.message


def test_command_line_keeps_nothing_of_one_that_lacks_its_wal(streamed: Streamed) -> None:
    """The CLI ends with 1, names the segment, and leaves nothing that no second attempt would use."""
    streamed.site.edit_policy("wal: {slot", "wal: {wait_for_wal: 1s, slot")
    said = streamed.site.run("base-backup", str(streamed.site.policy_file), "production", expect=1).stderr.decode()
    assert "is not in the store after 1s" in said
    assert all_base_files(streamed.site) == []


def test_standby_gives_a_base_backup(
    cluster: Cluster, make_streamed: MakeStreamed, tmp_path_factory: pytest.TempPathFactory, tmp_path: Path
) -> None:
    """A server in recovery works, the beginning of its open segment being enough, and starts by itself."""
    execute(cluster.url(), "CREATE TABLE seen_by_standby AS SELECT 7 AS answer")
    with _standby(cluster, tmp_path_factory.mktemp("standby")) as standby:
        streamed = make_streamed(standby)
        environment = streamed.site.environment()
        id = store_base_backup(environment, opened_at=environment.clock(), origin="from-standby")
        store_wal(environment, cluster)
        facts = commit_base_backup(environment, id)
        execute(cluster.url(), "SELECT pg_switch_wal()")
        store_wal(environment, cluster)
    manifest = manifest_of(streamed.site, facts.base_backup)
    assert manifest.system_identifier == str(streamed_identifier(cluster))
    data = opened(streamed.site, facts.base_backup, tmp_path / "files")
    put_wal(streamed.site, data / "pg_wal")
    verified = verify(cluster.bin, data)
    assert verified.returncode == 0, verified.stderr
    with started(cluster, data, tmp_path / "copy") as copy:
        assert rows(copy.url(), "SELECT answer FROM seen_by_standby") == [(7,)]


def streamed_identifier(cluster: Cluster) -> object:
    """The cluster's number."""
    return rows(cluster.url(), "SELECT system_identifier FROM pg_control_system()")[0][0]


def _standby(cluster: Cluster, folder: Path) -> Cluster:
    """A running standby of the cluster."""
    environment = {"PATH": os.environ["PATH"]} | Target.parse(streamer_url(cluster)).environment()
    data = folder / "data"
    argv = [str(cluster.bin / "pg_basebackup"), "-D", str(data), "-X", "stream", "-c", "fast", "--no-sync"]
    subprocess.run(argv, env=environment, check=True, capture_output=True)
    (data / "standby.signal").touch()
    (folder / "password").write_text(cluster.password)
    primary = f"host=127.0.0.1 port={cluster.port} user={ROLE} password={PASSWORD}"
    config = FAST | {"primary_conninfo": primary, "hot_standby": "on", "max_wal_senders": "20"}
    account = server_account()
    if account.name is not None:
        subprocess.run(["chown", "-R", f"{account.uid}:{account.gid}", str(data)], check=True)
    return Cluster(folder, cluster.bin, config=config)

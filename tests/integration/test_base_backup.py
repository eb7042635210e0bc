"""Base backups of real servers: opened with public tools, verified by PostgreSQL's own, and started."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from base_backups import (
    KEPT,
    SUMMARIES,
    Notes,
    combine,
    folder_of,
    manifest_of,
    opened,
    put_wal,
    started,
    storing_wal,
    take,
    verify,
)
from fix_postgres import execute, rows
from fix_wal import MakeStreamed, Streamed, streamable
from holdfast.backup.base import commit_base_backup, store_base_backup
from holdfast.recovery.cluster import Cluster
from holdfast.values.keys import BACKUP_MANIFEST
from holdfast.values.lsn import Lsn


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """PostgreSQL 18 that summarizes its WAL, with a table of 20,000 rows."""
    with streamable(tmp_path_factory.mktemp("base18"), segment_mb=1, config=KEPT | SUMMARIES) as made:
        with_rows = "CREATE TABLE big AS SELECT n AS id, md5(n::text) AS note FROM generate_series(1, 20000) n"
        execute(made.url(), with_rows)
        yield made


@pytest.fixture
def streamed(cluster: Cluster, make_streamed: MakeStreamed) -> Streamed:
    """A site for it, with an empty store."""
    return make_streamed(cluster)


def test_full_base_backup_opens_with_public_tools_and_starts(streamed: Streamed, tmp_path: Path) -> None:
    """Age, zstd and tar open it, pg_verifybackup passes, and a server replays the WAL of the store to the end."""
    cluster = streamed.cluster
    facts = take(streamed)
    with storing_wal(streamed):
        streamed.execute("CREATE TABLE after_base AS SELECT 42 AS answer")
        last = streamed.switch()
        while last not in streamed.segments():
            pass
    data = opened(streamed.site, facts.base_backup, tmp_path / "files")
    put_wal(streamed.site, data / "pg_wal")
    verified = verify(cluster.bin, data)
    assert verified.returncode == 0, verified.stderr
    expected = rows(cluster.url(), "SELECT count(*), md5(string_agg(note, '' ORDER BY id)) FROM big")
    with started(cluster, data, tmp_path / "copy") as copy:
        assert rows(copy.url(), "SELECT count(*), md5(string_agg(note, '' ORDER BY id)) FROM big") == expected
        assert rows(copy.url(), "SELECT answer FROM after_base") == [(42,)]


def test_manifest_tells_the_cluster_and_the_wal(streamed: Streamed) -> None:
    """Identity, LSNs, settings and times are the server's, sizes and hashes those of what is stored."""
    before = rows(streamed.cluster.url(), "SELECT clock_timestamp(), pg_current_wal_insert_lsn()::text")[0]
    facts = take(streamed, full=True)
    after = rows(streamed.cluster.url(), "SELECT clock_timestamp(), system_identifier::text FROM pg_control_system()")[
        0
    ]
    manifest = manifest_of(streamed.site, facts.base_backup)
    assert manifest.system_identifier == after[1]
    assert (manifest.kind, manifest.parent, manifest.chain, manifest.timeline) == ("full", None, (), 1)
    assert Lsn.parse(str(before[1])) <= Lsn.parse(manifest.start_lsn) < Lsn.parse(manifest.stop_lsn)
    assert before[0] < manifest.started_at < manifest.finished_at < after[0]  # type: ignore[operator]
    assert (manifest.segment_bytes, manifest.has_checksums, manifest.superuser) == (1 << 20, True, "postgres")
    assert manifest.settings["max_connections"] == 60
    assert manifest.settings.keys() == {
        "max_connections",
        "max_worker_processes",
        "max_wal_senders",
        "max_prepared_transactions",
        "max_locks_per_transaction",
    }
    assert manifest.files > 900 and manifest.data_bytes > 20 << 20
    for artifact in manifest.artifacts:
        content = (folder_of(streamed.site, manifest.id) / artifact.name).read_bytes()
        assert (len(content), hashlib.sha256(content).hexdigest()) == (artifact.bytes, artifact.sha256)


def test_incremental_is_combined_and_verified(streamed: Streamed, tmp_path: Path) -> None:
    """Two incremental ones on a full one, small both, make the cluster as it is with pg_combinebackup."""
    cluster, chain = streamed.cluster, []
    facts = [take(streamed, full=True)]
    for number in (1, 2):
        streamed.execute(f"UPDATE big SET note = 'round {number}' WHERE id % 1000 = {number}")
        facts.append(take(streamed))
    assert [each.kind for each in facts] == ["full", "incremental", "incremental"]
    assert [each.parent for each in facts] == [None, facts[0].base_backup, facts[1].base_backup]
    assert manifest_of(streamed.site, facts[2].base_backup).chain == tuple(each.base_backup for each in facts[:2])
    assert facts[1].bytes < facts[0].bytes / 2
    for each in facts:
        chain.append(opened(streamed.site, each.base_backup, tmp_path / each.base_backup))
        assert verify(cluster.bin, chain[-1], "--no-parse-wal").returncode == 0
    whole = tmp_path / "whole"
    combine(cluster.bin, chain, whole)
    put_wal(streamed.site, whole / "pg_wal")
    verified = verify(cluster.bin, whole)
    assert verified.returncode == 0, verified.stderr
    expected = rows(cluster.url(), "SELECT count(*), md5(string_agg(note, '' ORDER BY id)) FROM big")
    with started(cluster, whole, tmp_path / "copy") as copy:
        assert rows(copy.url(), "SELECT count(*), md5(string_agg(note, '' ORDER BY id)) FROM big") == expected


def test_removed_summaries_make_a_full_one(streamed: Streamed) -> None:
    """A server that has lost the summaries of its WAL gives a full one, and the reason is said."""
    parent = take(streamed, full=True)
    streamed.execute("UPDATE big SET note = note WHERE id = 1")
    streamed.execute("CHECKPOINT")
    beyond = f"SELECT count(*) FROM pg_available_wal_summaries() WHERE end_lsn > '{parent.stop_lsn}'"
    deadline = time.monotonic() + 30
    while streamed.sql(beyond) == [(0,)] and time.monotonic() < deadline:
        time.sleep(0.1)
    for summary in (streamed.cluster.data / "pg_wal/summaries").iterdir():
        summary.unlink()
    notes = Notes()
    assert take(streamed, notes=notes).kind == "full"
    assert any("WAL summaries are required" in outcome for outcome in notes.outcomes)


def test_damaged_list_of_the_parent_makes_a_full_one(streamed: Streamed) -> None:
    """One flipped byte in the parent's list of files: nothing is built on it, and it is named."""
    parent = take(streamed, full=True)
    stored = folder_of(streamed.site, parent.base_backup) / BACKUP_MANIFEST
    content = bytearray(stored.read_bytes())
    content[-1] ^= 1
    stored.write_bytes(content)
    notes = Notes()
    assert take(streamed, notes=notes).kind == "full"
    assert any(parent.base_backup in outcome for outcome in notes.outcomes)


def test_old_full_one_is_followed_by_a_full_one(streamed: Streamed) -> None:
    """Once the last full one is older than ``wal.full_every``, the next is full again."""
    take(streamed, full=True)
    assert take(streamed).kind == "incremental"
    streamed.site.edit_policy("wal: {slot", "wal: {full_every: 1s, slot")
    time.sleep(1.1)
    assert take(streamed).kind == "full"


def test_steps_run_again_change_nothing(streamed: Streamed) -> None:
    """Storing and committing a second time find what is there."""
    environment, now = streamed.site.environment(), datetime.now(UTC)
    with storing_wal(streamed):
        first = store_base_backup(environment, opened_at=now, origin="run-1", full=True)
        tar = folder_of(streamed.site, str(first)) / "base.tar.zst.age"
        written = tar.stat().st_mtime_ns
        assert store_base_backup(environment, opened_at=now, origin="run-1", full=True) == first
        facts = commit_base_backup(environment, first)
    files = streamed.site.stored_files()
    assert store_base_backup(environment, opened_at=now, origin="run-1") == first
    again = commit_base_backup(environment, first)
    assert again.as_json() | {"seconds": 0} == facts.as_json() | {"seconds": 0}
    assert tar.stat().st_mtime_ns == written
    assert streamed.site.stored_files() == files
    assert not [name for name in files if "draft" in name]


def test_command_line_reports_in_json(streamed: Streamed) -> None:
    """`holdfast base-backup` takes one beside the real streamer; --full makes it a full one."""
    arguments = ("base-backup", str(streamed.site.policy_file), "production")
    with streamed.streaming():
        full = streamed.site.json(*arguments)
        later = streamed.site.json(*arguments)
        forced = streamed.site.run(*arguments, "--full").stdout.decode()
    assert (full["kind"], later["kind"], later["parent"]) == ("full", "incremental", full["base_backup"])
    assert full.keys() == {
        *("base_backup", "kind", "parent", "bytes", "data_bytes"),
        *("start_lsn", "stop_lsn", "timeline", "seconds"),
    }
    assert ": full, " in forced


def test_server_15_gives_full_ones(wal15: Cluster, make_streamed: MakeStreamed, tmp_path: Path) -> None:
    """A server without summaries: full ones each time, that its own pg_verifybackup passes."""
    streamed = make_streamed(wal15)
    facts = [take(streamed), take(streamed)]
    assert [each.kind for each in facts] == ["full", "full"]
    data = opened(streamed.site, facts[1].base_backup, tmp_path / "files")
    put_wal(streamed.site, data / "pg_wal")
    verified = verify(wal15.bin, data)
    assert verified.returncode == 0, verified.stderr

"""Expire beside a running streamer and base backups of a real server: what its report says is left can be recovered."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path

from fix_postgres import rows
from fix_wal import MakeStreamed, Streamed, streamable
from holdfast.backup.base import take_base_backup
from holdfast.catalog.windows import read_coverage
from holdfast.expire import expire
from holdfast.pitr import parse_target, plan_recovery, recover
from holdfast.progress import Silent
from holdfast.recovery.cluster import Cluster
from holdfast.values.ids import RestorePointId


def _expire_until(streamed: Streamed, is_over: threading.Event) -> int:
    """As fast as it goes; returns how many segments went."""
    environment, gone = streamed.site.environment(), 0
    while not is_over.wait(0.3):
        gone += expire(environment, now=environment.clock()).wal.deleted_segments
    return gone


def test_what_is_left_beside_a_streamer_can_be_recovered(make_streamed: MakeStreamed, tmp_path: Path) -> None:
    """Everything expires after a second; the newest chain of base backups and all WAL behind it stand nevertheless."""
    with streamable(tmp_path / "source", segment_mb=1, config={"summarize_wal": "on"}) as source:
        streamed = make_streamed(source)
        for old, new in (("keep: 7d", "keep: 1s"), ("base_backup: {keep: 14d}", "base_backup: {keep: 1s}")):
            streamed.site.edit_policy(old, new)
        environment, is_over, taken = streamed.site.environment(), threading.Event(), []
        with streamed.streaming(), ThreadPoolExecutor(1) as beside:
            expiring = beside.submit(_expire_until, streamed, is_over)
            try:
                for is_full in (True, False, True, False):
                    streamed.write(3000)
                    streamed.switch()
                    facts = take_base_backup(environment, full=is_full, progress=Silent())
                    taken.append(RestorePointId.parse(facts.base_backup))
                streamed.write(3000)
                streamed.switch()
                count = streamed.sql("SELECT count(*) FROM notes")[0][0]
            finally:
                is_over.set()
            gone = expiring.result()
        report = expire(environment, now=environment.clock() + timedelta(seconds=5))
        assert gone + report.wal.deleted_segments > 0
        standing = [entry.id for entry in environment.base_catalog.entries()]
        newest = environment.base_catalog.manifest(taken[-1], environment.verifier())
        assert set(map(str, standing)) == {*newest.chain, newest.id}, report.base_backups.kept
        found = read_coverage(environment.wal_catalog, environment.base_catalog, environment.verifier())
        assert found.gaps == ()
        assert report.wal.after == tuple(stretch.as_json() for stretch in found.stretches)
        plan = plan_recovery(environment, parse_target(None, None, None, True))
        recover(environment, plan, tmp_path / "data", progress=Silent())
    folder = tmp_path / "recovered"
    folder.mkdir()
    (tmp_path / "source" / "password").rename(folder / "password")
    (tmp_path / "data").rename(folder / "data")
    with Cluster(folder, source.bin, config={"fsync": "off"}) as recovered:
        assert rows(recovered.url(), "SELECT count(*) FROM notes") == [(count,)]

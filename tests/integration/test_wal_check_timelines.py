"""Windows and checks of a real server's WAL across a switch of its timeline."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from fix_wal import STREAMED, MakeStreamed, Streamed, streamable
from holdfast.backup.base import take_base_backup
from holdfast.catalog.windows import read_coverage
from holdfast.recovery.cluster import Cluster
from holdfast.verify import check_wal


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Cluster]:
    """One that may be restarted."""
    with streamable(tmp_path / "server", segment_mb=1) as cluster:
        yield cluster


def _promoted(server: Cluster) -> Cluster:
    """The same cluster, recovered to the end of its WAL onto a timeline of its own, as a standby that is promoted."""
    server.stop()
    (server.data / "recovery.signal").touch()
    config = STREAMED | {"restore_command": "false"}
    return Cluster(server.folder, server.bin, port=server.port, config=config).start()


def _shipped(streamed: Streamed, *, base: bool = False) -> None:
    with streamed.streaming():
        if base:
            take_base_backup(streamed.site.environment(), full=True)
        for _ in range(2):
            streamed.write(300)
            last = streamed.switch()
        while last not in streamed.segments():
            pass
        streamed.write(300)
        time.sleep(2.5)  # for a mark of the time, and the piece that holds it


def test_switched_timeline_is_one_window_and_sound(server: Cluster, make_streamed: MakeStreamed) -> None:
    """The first segment of the new timeline begins with pages of the old one."""
    streamed = make_streamed(server)
    _shipped(streamed, base=True)
    promoted = _promoted(server)
    try:
        again = Streamed(promoted, streamed.site, streamed.slot)
        _shipped(again)
        environment = again.site.environment()
        report = check_wal(environment)
        assert [str(fault) for fault in report.faults] == []
        found = read_coverage(environment.wal_catalog, environment.base_catalog, environment.verifier())
        assert (found.gaps, found.faults) == ((), ())
        newest = found.stretches[-1]
        assert newest.timeline == 2
        assert newest.ends_at is not None
        assert newest.ends_at > newest.begins_at
        assert {piece.timeline for piece in environment.wal_catalog.pieces()} == {1, 2}
    finally:
        promoted.stop()

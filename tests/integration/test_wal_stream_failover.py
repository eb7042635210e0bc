"""A standby is promoted: its timeline is followed, whichever server the streamer was connected to."""

from __future__ import annotations

import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from fix_wal import STREAMED, MakeStreamed, Streamed, streamable, streamer_url
from holdfast.recovery.cluster import Cluster
from wal_truth import compare_with_server, stored_pieces

KEPT = {"wal_keep_size": "1GB"}


@pytest.fixture
def primary(tmp_path: Path) -> Iterator[Cluster]:
    """A server that a standby follows."""
    with streamable(tmp_path / "primary", segment_mb=1, config=KEPT) as cluster:
        yield cluster


@contextmanager
def standby_of(primary: Cluster, folder: Path) -> Iterator[Cluster]:
    """A running standby."""
    folder.mkdir()
    argv = [primary.bin / "pg_basebackup", "-D", folder / "data", "-R", "-c", "fast", "-d", streamer_url(primary)]
    subprocess.run(argv, check=True, capture_output=True)
    subprocess.run(["chown", "-R", "--reference", str(primary.data), str(folder / "data")], check=True)
    shutil.copy(primary.folder / "password", folder / "password")
    with Cluster(folder, primary.bin, config=STREAMED | KEPT) as standby:
        yield standby


def promote(standby: Streamed) -> None:
    """Make it a primary, and wait for that."""
    assert standby.sql("SELECT pg_promote(true, 30)") == [(True,)]


def await_replayed(standby: Streamed, lsn: str) -> None:
    """Wait until it has replayed up to there."""
    deadline = time.monotonic() + 20
    while standby.sql(f"SELECT pg_last_wal_replay_lsn() >= '{lsn}'::pg_lsn") != [(True,)]:
        assert time.monotonic() < deadline
        time.sleep(0.05)


def path_of(streamed: Streamed) -> list[tuple[int, str]]:
    """(timeline, kind) of all that is stored, in order of names."""
    return [(piece.timeline, piece.kind) for piece in stored_pieces(streamed)]


def test_the_other_server_is_gone_on_from(primary: Cluster, make_streamed: MakeStreamed, tmp_path: Path) -> None:
    """The next run finds another server on a new timeline without a slot: its history is stored, nothing is missing."""
    streamed = make_streamed(primary)
    with standby_of(primary, tmp_path / "standby") as other:
        standby = Streamed(other, streamed.site, streamed.slot)
        streamed.write(3000)
        first = streamed.switch()
        streamed.write(500)
        streamed.stream(2)
        streamed.write(500)
        await_replayed(standby, streamed.insert_lsn())
        primary.stop()
        promote(standby)
        standby.write(3000)
        last = standby.switch()
        streamed.site.variables["AIRFLOW_CONN_SHOP_DB"] = streamer_url(other)
        report = standby.stream(2.5)
        assert report.gap is None
        assert report.timeline == 2
        assert last in standby.segments() and last.startswith("00000002")
        assert first in standby.segments()
        assert (2, "history") in path_of(standby)
        compare_with_server(standby, other)
        numbers = [int(name[16:], 16) for name in standby.segments()]
        assert numbers == list(range(numbers[0], numbers[0] + len(numbers)))


def test_a_standby_that_is_promoted_under_the_streamer_is_followed(
    primary: Cluster, make_streamed: MakeStreamed, tmp_path: Path
) -> None:
    """Streaming from the standby itself: the stream goes over to the new timeline amid the run."""
    with standby_of(primary, tmp_path / "standby") as other:
        streamed = make_streamed(other)
        source = Streamed(primary, streamed.site, streamed.slot)
        source.write(2000)
        with streamed.streaming() as running:
            source.write(2000)
            source.switch()
            source.write(500)
            await_replayed(streamed, source.insert_lsn())
            time.sleep(1)
            promote(streamed)
            streamed.write(3000)
            last = streamed.switch()
            deadline = time.monotonic() + 20
            while last not in streamed.segments():
                assert time.monotonic() < deadline, streamed.segments()
                time.sleep(0.1)
        report = running.result()
        assert report.timeline == 2
        assert report.gap is None
        assert (2, "history") in path_of(streamed)
        compare_with_server(streamed)


def test_an_old_primary_with_more_than_the_new_one_does_not_hide_its_wal(
    primary: Cluster, make_streamed: MakeStreamed, tmp_path: Path
) -> None:
    """The primary shipped WAL that its standby never got: the new timeline is stored from where it begins."""
    streamed = make_streamed(primary)
    with standby_of(primary, tmp_path / "standby") as other:
        standby = Streamed(other, streamed.site, streamed.slot)
        streamed.write(500)
        await_replayed(standby, streamed.insert_lsn())
        standby.execute("ALTER SYSTEM SET primary_conninfo = ''")
        standby.sql("SELECT pg_reload_conf()")
        time.sleep(0.5)
        for _ in range(4):
            streamed.write(2000)
            streamed.switch()
        streamed.stream(2)
        primary.stop()
        promote(standby)
        standby.write(3000)
        last = standby.switch()
        streamed.site.variables["AIRFLOW_CONN_SHOP_DB"] = streamer_url(other)
        report = standby.stream(2.5)
        assert report.gap is None
        second = [name for name in standby.segments() if name.startswith("00000002")]
        history = (other.data / "pg_wal/00000002.history").read_text().split()[1]
        number = int(history.split("/")[1], 16) >> 20
        assert [int(name[16:], 16) for name in second] == list(range(number, int(last[16:], 16) + 1))
    # Back on the old primary, which knows nothing of the timeline in the store.
    with primary:
        streamed.site.variables["AIRFLOW_CONN_SHOP_DB"] = streamer_url(primary)
        assert any("is it an old primary" in note for note in streamed.stream(1).notes)

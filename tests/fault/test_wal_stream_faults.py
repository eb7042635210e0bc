"""Faults planted into the WAL streamer: nothing that was reported stored is ever lost, and no other WAL gets in."""

from __future__ import annotations

import json
import os
import random
import re
import shutil
import subprocess
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from fix_wal import STREAMED, MakeStreamed, Streamed, drop_slot, streamable, streamer_url
from holdfast.errors import DatabaseUnavailable, IntegrityError, StoreError
from holdfast.recovery.cluster import Cluster
from holdfast.streaming import stream_wal
from holdfast.values.lsn import Lsn
from holdfast_embedded.seaweedfs import SeaweedFS
from tcp_proxy import TcpProxy
from wal_truth import Load, Talker, base_copy, compare_with_server, plain, replayed, stored_end, stored_pieces

KEPT = {"wal_keep_size": "1GB", "max_slot_wal_keep_size": "-1"}
ROUNDS = int(os.environ.get("HOLDFAST_FAULT_ROUNDS", "8"))


@pytest.fixture
def own(tmp_path: Path) -> Iterator[Cluster]:
    """A server of the test's own that keeps its WAL, to compare with."""
    with streamable(tmp_path / "server", segment_mb=1, config=KEPT) as cluster:
        yield cluster


def await_segment(streamed: Streamed, name: str, timeout_s: float = 30) -> None:
    """Wait until the segment is in the store."""
    deadline = time.monotonic() + timeout_s
    while name not in streamed.segments():
        assert time.monotonic() < deadline, (name, streamed.segments()[-3:])
        time.sleep(0.1)


def test_killed_streamers_lose_nothing_that_they_reported(
    own: Cluster, make_streamed: MakeStreamed, tmp_path: Path
) -> None:
    """Killed at random moments under load, the spool sometimes gone: the store keeps what was told, bit for bit."""
    streamed = make_streamed(own)
    streamed.stream(0.5)
    copy = base_copy(own, tmp_path / "copy")
    chance, seen, spool = random.Random(20261122), set[str](), tmp_path / "spool"
    told = Lsn(0)
    with Load(own, "ledger_rows").running() as load:
        for _ in range(ROUNDS):
            talker = Talker(streamed, spool)
            time.sleep(chance.uniform(0.3, 3))
            talker.kill()
            told = max(told, talker.stored_lsn() or Lsn(0))
            assert stored_end(streamed) >= told
            compare_with_server(streamed, seen=seen)
            if chance.random() < 0.3:
                shutil.rmtree(spool, ignore_errors=True)
        # In the end one that surely got to tell of something.
        talker = Talker(streamed, spool)
        talker.await_told(load.committed[-1][1])
        told = talker.stored_lsn() or Lsn(0)
        talker.kill()
    compare_with_server(streamed, seen=seen)
    recovered = replayed(streamed, copy, "ledger_rows")
    promised = [number for number, lsn in load.committed if lsn <= told]
    assert promised
    source = streamed.sql("SELECT id, note FROM ledger_rows ORDER BY id")
    assert len(recovered) >= len(promised)
    assert recovered == source[: len(recovered)]


def test_a_server_that_restarts_is_followed(own: Cluster, make_streamed: MakeStreamed) -> None:
    """A clean restart and a crash amid the stream: receiver and session come back, and nothing is missing."""
    streamed = make_streamed(own)
    port = own.port
    with streamed.streaming() as running:
        streamed.write(3000)
        await_segment(streamed, streamed.switch())
        for stop in (own.stop, own.kill):
            stop()
            own.port, own._wants_any_port = port, False
            own.start()
            streamed.write(3000)
            await_segment(streamed, streamed.switch())
    report = running.result()
    assert report.gap is None
    compare_with_server(streamed)
    assert stored_end(streamed) == Lsn.parse(report.stored_lsn or "0/0")


def test_a_spool_that_vanishes_is_received_again(own: Cluster, make_streamed: MakeStreamed, tmp_path: Path) -> None:
    """The spool is deleted under a running streamer, which gets from the source what was in it."""
    streamed, spool = make_streamed(own), tmp_path / "spool"
    with streamed.streaming(spool) as running:
        for _ in range(4):
            streamed.write(2000)
            time.sleep(0.7)
            shutil.rmtree(spool)
            await_segment(streamed, streamed.switch())
    assert any("spool lost files" in note for note in running.result().notes)
    assert running.result().gap is None
    compare_with_server(streamed)


def test_a_slot_that_was_given_up_is_a_gap_and_made_anew(tmp_path: Path, make_streamed: MakeStreamed) -> None:
    """max_slot_wal_keep_size let the server remove WAL that was not stored: the report says which."""
    config = {"max_slot_wal_keep_size": "1MB", "wal_keep_size": "0", "min_wal_size": "2MB", "max_wal_size": "2MB"}
    with streamable(tmp_path / "server", segment_mb=1, config=config) as cluster:
        streamed = make_streamed(cluster)
        streamed.write(100)
        assert streamed.stream(1).gap is None
        before = stored_end(streamed)
        for _ in range(8):
            streamed.write(2000)
            streamed.switch()
        streamed.execute("CHECKPOINT")
        assert streamed.slots()[0][1] == "lost"
        report = streamed.stream(2)
        assert report.gap is not None and "new base backup" in report.gap
        assert any("given up by the server" in note for note in report.notes)
        assert streamed.slots()[0][1] == "reserved"
        # What the report names as missing is exactly what is.
        first = report.gap.split("segments ")[1].split()[0]
        assert stored_end(streamed) <= before + (1 << 20)
        assert first not in streamed.segments()
        streamed.write(100)
        name = streamed.switch()
        again = streamed.stream(2)
        assert again.gap is None
        assert name in streamed.segments()


def test_a_slot_that_is_given_up_amid_the_stream_is_a_gap(
    tmp_path: Path, make_streamed: MakeStreamed, remote: tuple[TcpProxy, dict[str, str]]
) -> None:
    """The store is away until the spool is full and the source gives up: what it removed, and no more, is missing."""
    (proxy, site), spool = remote, tmp_path / "spool"
    config = {"max_slot_wal_keep_size": "2MB", "wal_keep_size": "0", "min_wal_size": "2MB", "max_wal_size": "2MB"}
    with streamable(tmp_path / "server", segment_mb=1, config=config) as cluster:
        streamed = make_streamed(cluster, wal={"spool_limit": "4MiB"}, site=site)
        streamed.stream(0.7, spool)
        with streamed.streaming(spool) as running:
            streamed.write(10)
            time.sleep(1.5)
            proxy.cut_after(1)
            await_file(spool, fill(streamed, 4))
            for _ in range(5):
                fill(streamed, 4)
                streamed.execute("CHECKPOINT")
            time.sleep(7)
            proxy.restore()
            await_segment(streamed, fill(streamed, 2))
        report = running.result()
        assert report.gap is not None
        first, last = re.findall("[0-9A-F]{24}", report.gap)[:2]
        numbers = [int(name[16:], 16) for name in streamed.segments()]
        missing = sorted(set(range(numbers[0], numbers[-1])) - set(numbers))
        assert (missing[0], missing[-1]) == (int(first[16:], 16), int(last[16:], 16))
        assert streamed.slots()[0][1] == "reserved"


def fill(streamed: Streamed, count: int) -> str:
    """Write that many segments; returns the last one's name."""
    for _ in range(count):
        streamed.write(200)
        last = streamed.switch()
    return last


def test_wal_that_other_than_the_slot_holds_is_used(own: Cluster, make_streamed: MakeStreamed) -> None:
    """A slot that somebody dropped is no gap while the server still has the WAL."""
    streamed = make_streamed(own)
    streamed.write(100)
    streamed.stream(1)
    drop_slot(own.url(), streamed.slot)
    for _ in range(3):
        streamed.write(500)
        last = streamed.switch()
    streamed.execute("CHECKPOINT")
    report = streamed.stream(2)
    assert report.gap is None
    assert any("was not on the server" in note for note in report.notes)
    assert last in streamed.segments()
    assert stored_end(streamed) == Lsn.parse(report.stored_lsn or "0/0")
    compare_with_server(streamed)


@pytest.fixture
def remote(seaweed: SeaweedFS, bucket: str, tmp_path: Path) -> Iterator[tuple[TcpProxy, dict[str, str]]]:
    """An S3 store behind a proxy that can lose it, and what make_site wants to know of it."""
    with TcpProxy(seaweed.port) as proxy:
        connection = json.loads(seaweed.connection_json())
        connection["extra"]["endpoint_url"] = f"http://127.0.0.1:{proxy.port}"
        yield proxy, {"store_url": f"s3://{bucket}/{tmp_path.name}", "store_conn": json.dumps(connection)}


def test_a_source_that_is_lost_leaves_what_its_spool_holds(
    own: Cluster, make_streamed: MakeStreamed, remote: tuple[TcpProxy, dict[str, str]], tmp_path: Path
) -> None:
    """The store was away, the streamer was killed, then the server was lost: the next run stores what had come."""
    (proxy, site), spool = remote, tmp_path / "spool"
    streamed = make_streamed(own, site=site)
    streamed.write(100)
    streamed.stream(0.7, spool)
    talker = Talker(streamed, spool)
    talker.await_told(Lsn(1))
    proxy.cut_after(1)
    streamed.write(8000)
    last = streamed.switch()
    await_file(spool, last)
    talker.kill()
    proxy.restore()
    assert last not in streamed.segments()
    own.kill()
    with pytest.raises(DatabaseUnavailable):
        streamed.stream(1, spool)
    assert last in streamed.segments()
    compare_with_server(streamed)
    assert not list(spool.glob("*/*"))


def test_a_store_that_is_away_for_a_while_costs_nothing(
    own: Cluster, make_streamed: MakeStreamed, remote: tuple[TcpProxy, dict[str, str]], tmp_path: Path
) -> None:
    """Nothing is dropped, the slot stays, the spool stays within its limit; afterwards everything is caught up with."""
    (proxy, site), spool = remote, tmp_path / "spool"
    streamed = make_streamed(own, wal={"spool_limit": "4MiB"}, site=site)
    streamed.stream(0.7, spool)
    held = streamed.slots()
    with streamed.streaming(spool) as running:
        streamed.write(100)
        time.sleep(1)
        proxy.cut_after(1)
        for _ in range(12):
            streamed.write(3000)
            last = streamed.switch()
        time.sleep(2)
        assert sum(path.stat().st_size for path in spool.rglob("*") if path.is_file()) <= 8 << 20
        assert streamed.slots() == held
        proxy.restore()
        await_segment(streamed, last)
    report = running.result()
    assert report.gap is None
    assert any("the spool was full" in note for note in report.notes)
    compare_with_server(streamed)
    assert stored_end(streamed) == Lsn.parse(report.stored_lsn or "0/0")


def test_a_store_that_is_away_to_the_end_fails_the_run(
    own: Cluster, make_streamed: MakeStreamed, remote: tuple[TcpProxy, dict[str, str]], tmp_path: Path
) -> None:
    """Nothing could be stored: the error names the store, and the end is as quick as ever."""
    proxy, site = remote
    streamed = make_streamed(own, site=site)
    streamed.stream(0.7)
    stop = threading.Event()
    with ThreadPoolExecutor(1) as beside:
        running = beside.submit(stream_wal, streamed.site.environment(), stop=stop, spool=tmp_path / "spool")
        await_file(tmp_path / "spool", "about.json")
        proxy.cut_after(1)
        streamed.write(100)
        time.sleep(2)
        began = time.monotonic()
        stop.set()
        with pytest.raises(StoreError, match="store"):
            running.result()
        assert time.monotonic() - began < 5


@pytest.mark.parametrize("ahead", [False, True])
def test_the_wal_of_a_copy_that_went_its_own_way_is_refused(
    own: Cluster, make_streamed: MakeStreamed, tmp_path: Path, *, ahead: bool
) -> None:
    """A copy of the cluster writes the same names with other content: whether it is behind or ahead, none gets in."""
    streamed = make_streamed(own)
    streamed.write(100)
    own.stop()
    twin = Cluster(tmp_path / "twin", own.bin, config=STREAMED | KEPT)
    shutil.copytree(own.folder, twin.folder)
    subprocess.run(["chown", "-R", "--reference", str(own.data), str(twin.data)], check=True)
    own.start()
    streamed.site.variables["AIRFLOW_CONN_SHOP_DB"] = streamer_url(own)
    if not ahead:
        streamed.write(1000)
        streamed.switch()
    streamed.write(1000)
    streamed.stream(2)
    stored = {piece.name: plain(streamed, piece) for piece in stored_pieces(streamed)}
    with twin:
        other = Streamed(twin, streamed.site, streamed.slot)
        streamed.site.variables["AIRFLOW_CONN_SHOP_DB"] = streamer_url(twin)
        other.write(3000 if ahead else 10, table="elsewhere")
        with pytest.raises(IntegrityError, match=r"other content|another beginning|the server only up to"):
            other.stream(2)
    assert {piece.name: plain(streamed, piece) for piece in stored_pieces(streamed)} == stored


def await_file(folder: Path, name: str, timeout_s: float = 20) -> None:
    """Wait until a file of that name is somewhere below the folder."""
    deadline = time.monotonic() + timeout_s
    while not list(folder.rglob(name)):
        assert time.monotonic() < deadline, list(folder.rglob("*"))
        time.sleep(0.05)

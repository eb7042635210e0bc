"""Faults of streamed WAL, planted for real: each is found, named, and no longer told of once it is mended."""

from __future__ import annotations

import json
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path

import pytest

import holdfast.streaming.status as telling
from fix_wal import MakeStreamed, Streamed, streamable
from holdfast.backup.base import take_base_backup
from holdfast.catalog import WalPiece
from holdfast.errors import HoldfastError
from holdfast.recovery.cluster import Cluster
from holdfast.verify.wal import check_wal
from holdfast.watch.facts import EnvironmentFacts, WalFacts
from holdfast.watch.finding import Finding
from holdfast.watch.judging import judge
from holdfast.watch.reading import read_facts
from holdfast_embedded.seaweedfs import SeaweedFS
from tcp_proxy import TcpProxy

KINDS = ("wal_lag", "wal_gap", "slot_retention", "wal_damaged")
# So that nobody waits: the watch finds what is older than these, whatever they are.
SHORT = {"lag_warning": "4s", "lag_page": "8s"}


@pytest.fixture
def own(tmp_path: Path) -> Iterator[Cluster]:
    """A server of the test's own, whose WAL nothing but the slot holds."""
    limits = {"max_slot_wal_keep_size": "4MB", "wal_keep_size": "0", "min_wal_size": "2MB", "max_wal_size": "4MB"}
    with streamable(tmp_path / "server", segment_mb=1, config=limits | {"checkpoint_timeout": "1h"}) as cluster:
        yield cluster


@pytest.fixture(autouse=True)
def _talkative(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(telling, "_EVERY_S", 0.5)
    monkeypatch.setattr(telling, "_FIRST_S", 0.5)


class Watch:
    """Looks again and again, as rounds of the watch do, each knowing what the one before found."""

    def __init__(self, streamed: Streamed) -> None:
        self._streamed = streamed
        self._facts: EnvironmentFacts | None = None

    def found(self) -> dict[str, Finding]:
        """The findings of WAL by kind."""
        environment, now = self._streamed.site.environment(), datetime.now(UTC)
        self._facts = read_facts(environment, now, self._facts)
        found = judge(self._facts, environment.policy, now)
        return {finding.kind: finding for finding in found if finding.kind in KINDS}

    @property
    def wal(self) -> WalFacts | None:
        """What was read last."""
        return None if self._facts is None else self._facts.wal

    def awaits(self, what: str, *kinds: str, severity: str = "page", timeout_s: float = 120) -> dict[str, Finding]:
        """Look until exactly these are found, and say how long that took."""
        began = time.monotonic()
        while not self._shows(found := self.found(), kinds, severity):
            assert time.monotonic() - began < timeout_s, (what, found, self.wal)
            time.sleep(0.2)
        print(f"{what}: {', '.join(kinds) or 'nothing any more'} after {time.monotonic() - began:.1f} s")
        return found

    def _shows(self, found: dict[str, Finding], kinds: tuple[str, ...], severity: str) -> bool:
        is_known = self.wal is not None and self.wal.status_at is not None
        if not kinds:
            is_known = self.wal is not None and self.wal.caught_up_at is not None
        return is_known and sorted(found) == sorted(kinds) and {one.severity for one in found.values()} <= {severity}


@contextmanager
def streamer(streamed: Streamed) -> Iterator[subprocess.Popen[bytes]]:
    """The command, in a process of its own."""
    site = streamed.site
    process = subprocess.Popen(
        site.command("wal", "stream", str(site.policy_file), "production"),
        env=site.surroundings(),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def test_a_killed_streamer_is_missed(own: Cluster, make_streamed: MakeStreamed) -> None:
    """Nothing runs that could tell: its last word grows old. The next streamer mends it."""
    # So far apart that a busy machine cannot miss what lies in between.
    streamed = make_streamed(own, wal=SHORT | {"lag_page": "20s"})
    streamed.write(100)
    watch = Watch(streamed)
    with streamer(streamed) as process:
        while not (watch.found() == {} and watch.wal and watch.wal.caught_up_at):
            assert process.poll() is None
            time.sleep(0.1)
        process.send_signal(signal.SIGKILL)
        watch.awaits("streamer killed, lag_warning 4 s", "wal_lag", severity="notify")
        found = watch.awaits("streamer killed, lag_page 20 s since its last word", "wal_lag")
    assert watch.wal and watch.wal.caught_up_at == found["wal_lag"].since
    with streamed.streaming():
        watch.awaits("streaming again")


def test_a_store_that_is_away_is_a_lag(
    own: Cluster, make_streamed: MakeStreamed, seaweed: SeaweedFS, bucket: str, tmp_path: Path
) -> None:
    """For the streamer alone: the watch still reaches the store. What the slot held back is told as it comes back."""
    with TcpProxy(seaweed.port) as proxy:
        connection = json.loads(seaweed.connection_json())
        site = {"store_url": f"s3://{bucket}/{tmp_path.name}", "store_conn": json.dumps(connection)}
        streamed = make_streamed(own, wal=SHORT | {"spool_limit": "1MiB"}, site=site)
        watch, direct = Watch(streamed), dict(streamed.site.variables)
        connection["extra"]["endpoint_url"] = f"http://127.0.0.1:{proxy.port}"
        streamed.site.variables["AIRFLOW_CONN_SHOP_STORE"] = json.dumps(connection)
        streamed.write(100)
        with streamed.streaming():
            streamed.site.variables.update(direct)
            watch.awaits("streaming over S3")
            proxy.cut_after(1)
            streamed.write(2000)
            watch.awaits("store away, lag_page 8 s", "wal_lag")
            before = watch.wal
            proxy.restore()
            watch.awaits("store back")
    assert before and watch.wal and before.status_at and watch.wal.status_at
    assert before.caught_up_at and watch.wal.caught_up_at and before.caught_up_at < watch.wal.caught_up_at


@pytest.fixture
def unlimited(tmp_path: Path) -> Iterator[Cluster]:
    """A server that keeps for its slots whatever they hold."""
    with streamable(tmp_path / "unlimited", segment_mb=1) as cluster:
        yield cluster


def test_what_the_slot_holds_back_is_told(unlimited: Cluster, make_streamed: MakeStreamed) -> None:
    """WAL that the store refuses piles up on the source; the streamer says so while it works."""
    limits = {"retained_warning": "2MiB", "retained_page": "2MiB", "spool_limit": "1MiB"}
    streamed = make_streamed(unlimited, wal=limits)
    streamed.write(100)
    watch = Watch(streamed)
    with _blocked_segments(streamed), streamed.streaming():
        while not streamed.slots():
            time.sleep(0.1)
        for _ in range(4):
            streamed.write(500)
            streamed.switch()
        found = watch.awaits("4 MiB on the source, retained_page 2 MiB", "slot_retention")
    assert "holds" in found["slot_retention"].text
    with streamed.streaming():
        watch.awaits("the store takes it again")


@contextmanager
def _blocked_segments(streamed: Streamed) -> Iterator[None]:
    """Nothing can be stored below the timeline: a file stands where its folder should be."""
    system = str(streamed.sql("SELECT system_identifier FROM pg_control_system()")[0][0])
    folder = streamed.site.store_folder / "shop/production/wal" / system
    folder.mkdir(parents=True, mode=0o700)
    (folder / "00000001").write_text("in the way")
    with suppress(HoldfastError):
        yield
    (folder / "00000001").unlink()


def test_a_slot_that_the_server_gave_up(own: Cluster, make_streamed: MakeStreamed) -> None:
    """By max_slot_wal_keep_size, while nothing streamed: said with the first word, and healed by a base backup."""
    streamed = make_streamed(own)
    environment = streamed.site.environment()
    watch = Watch(streamed)
    with streamed.streaming():
        take_base_backup(environment)
        watch.awaits("streaming")
    for _ in range(12):
        streamed.write(200)
        streamed.switch()
    streamed.execute("CHECKPOINT")
    assert streamed.slots()[0][1] == "lost"
    with streamed.streaming():
        found = watch.awaits("slot given up by the server", "wal_gap")
        assert watch.wal and watch.wal.lost and "was removed from the source" in watch.wal.lost
        assert [gap.is_healed for gap in watch.wal.gaps] in ([], [False])
        streamed.write(100)
        streamed.switch()
        take_base_backup(environment)
        watch.awaits("base backup taken")
        assert watch.wal.lost is None and [gap.is_healed for gap in watch.wal.gaps] == [True]
    assert found["wal_gap"].severity == "page"


def test_a_segment_that_somebody_deleted_or_damaged(own: Cluster, make_streamed: MakeStreamed) -> None:
    """The watch sees by itself that one is missing; that one is damaged, when a check has read it."""
    streamed = make_streamed(own)
    environment = streamed.site.environment()
    watch = Watch(streamed)
    with streamed.streaming():
        take_base_backup(environment)
        for _ in range(4):
            streamed.write(100)
            last = streamed.switch()
        while last not in streamed.segments():
            time.sleep(0.1)
        watch.awaits("streaming")
        rotten, gone = (_stored(streamed, name) for name in streamed.segments()[-3:-1])
        gone.unlink()
        found = watch.awaits("segment deleted", "wal_gap")
        assert gone.name.removesuffix(".zst.age") in found["wal_gap"].text
        rotten.write_bytes(rotten.read_bytes()[:-1] + b"?")
        assert check_wal(environment, everything=True).faults
        found = watch.awaits("segment damaged, and checked", "wal_gap", "wal_damaged")
        assert rotten.name in found["wal_damaged"].text
        take_base_backup(environment)
        watch.awaits("base backup taken")
    assert watch.wal and [gap.is_healed for gap in watch.wal.gaps] == [True] and watch.wal.healed_faults


def _stored(streamed: Streamed, name: str) -> Path:
    environment = streamed.site.environment()
    (system,) = environment.wal_catalog.systems()
    return streamed.site.store_folder / environment.wal_catalog.key(WalPiece.segment(system, name))


def test_a_forged_status_wakes_somebody(own: Cluster, make_streamed: MakeStreamed) -> None:
    """Of a streamer that is dead: the forged word does not hide it, and is told."""
    streamed = make_streamed(own, wal=SHORT)
    streamed.write(100)
    streamed.stream(2)
    watch = Watch(streamed)
    assert "wal_damaged" not in watch.found()
    (system,) = streamed.site.environment().wal_catalog.systems()
    folder = streamed.site.store_folder / streamed.site.environment().keys.wal_status(system, "")
    true = sorted(folder.iterdir())[-1]
    forged = json.loads(true.read_bytes())
    payload = json.loads(forged["payload"]) | {"name": "20301122T120000000Z-abcdef.json"}
    (folder / payload["name"]).write_text(json.dumps(forged | {"payload": json.dumps(payload)}))
    found = watch.awaits("status forged", "wal_lag", "wal_damaged")
    assert payload["name"] in found["wal_damaged"].text
    (folder / payload["name"]).unlink()
    watch.awaits("forged status removed", "wal_lag")

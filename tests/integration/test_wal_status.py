"""What the streamer says of itself in the store: fresh while it works, true, signed, and few."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

import holdfast.streaming.status as telling
from fix_wal import MakeStreamed, Streamed, drop_slot
from holdfast.catalog.wal_status import KnownStatus, WalStatusCatalog
from holdfast.expire import expire
from holdfast.recovery.cluster import Cluster
from holdfast.values.lsn import Lsn
from holdfast.watch.reading.wal import read_wal
from statuses import say_status
from wal_truth import Load


def newest(streamed: Streamed) -> KnownStatus | None:
    """The last status of its cluster."""
    environment = streamed.site.environment()
    systems = environment.wal_catalog.systems()
    if not systems:
        return None
    found, faults = WalStatusCatalog(environment.store, environment.keys).newest(
        systems[0], environment.verifier(), datetime.now(UTC)
    )
    assert faults == ()
    return found


def awaited(streamed: Streamed, holds: Callable[[KnownStatus], bool], timeout_s: float = 30) -> KnownStatus:
    """Wait for a status of which that is true."""
    deadline = time.monotonic() + timeout_s
    while (found := newest(streamed)) is None or not holds(found):
        assert time.monotonic() < deadline, found
        time.sleep(0.1)
    return found


def names(streamed: Streamed) -> list[str]:
    """The names of those that are kept."""
    environment = streamed.site.environment()
    return WalStatusCatalog(environment.store, environment.keys).names(environment.wal_catalog.systems()[0])


def test_a_short_run_says_how_it_ended(wal18: Cluster, make_streamed: MakeStreamed) -> None:
    """What the report says stands in the store, and the next run's first word takes over how far it was."""
    streamed = make_streamed(wal18)
    streamed.write(100)
    report = streamed.stream(2)
    status = awaited(streamed, lambda known: known.status.stored_lsn == report.stored_lsn).status
    # The server has checkpoints of its own, right behind what was asked for last.
    assert status.behind_bytes is not None and status.behind_bytes < 1 << 20 and status.caught_up_at is not None
    assert status.at - status.caught_up_at < timedelta(seconds=5)
    assert (status.wal_status, status.lost, status.system_identifier) == ("reserved", None, report.system_identifier)
    assert status.retained_bytes == report.retained_bytes
    assert report.notes == ()


@pytest.mark.parametrize("under_load", [False, True])
def test_status_is_fresh_while_it_works(
    wal18: Cluster, make_streamed: MakeStreamed, monkeypatch: pytest.MonkeyPatch, *, under_load: bool
) -> None:
    """Idle, where nothing but markers is written, and under load: never behind by more than it takes to ship."""
    monkeypatch.setattr(telling, "_EVERY_S", 0.5)
    streamed = make_streamed(wal18)
    with streamed.streaming():
        awaited(streamed, lambda known: known.status.caught_up_at is not None)
        if under_load:
            with Load(wal18, f"rows_{streamed.slot}").running():
                observed = _observe(streamed)
        else:
            observed = _observe(streamed)
    assert len({known.status.name for known in observed}) > 3
    for known in observed:
        assert known.status.caught_up_at is not None
        assert known.status.at - known.status.caught_up_at < timedelta(seconds=10)
        assert known.written_at - known.status.at < timedelta(seconds=10)
    source = [Lsn.parse(known.status.source_lsn or "0/0") for known in observed]
    assert source == sorted(source) and source[-1] > source[0]
    assert len(names(streamed)) == 3
    facts = read_wal(streamed.site.environment(), datetime.now(UTC), None)
    assert facts is not None and (facts.faults, facts.gaps, facts.lost) == ((), (), None)


def _observe(streamed: Streamed) -> list[KnownStatus]:
    observed: list[KnownStatus] = []
    for _ in range(30):
        found = newest(streamed)
        assert found is not None
        observed.append(found)
        time.sleep(0.1)
    return observed


def test_statuses_are_no_strangers(wal18: Cluster, make_streamed: MakeStreamed) -> None:
    """Neither streaming, nor the catalog, nor expire take them for anything else; old ones that lie about go."""
    streamed = make_streamed(wal18)
    streamed.write(100)
    streamed.stream(2)
    environment = streamed.site.environment()
    system = environment.wal_catalog.systems()[0]
    pieces = environment.wal_catalog.pieces()
    kept = names(streamed)[-1]
    assert all(piece.kind in ("segment", "partial") for piece in pieces)
    folder = streamed.site.store_folder / environment.keys.wal_status(system, "")
    for minutes in range(5):
        at = datetime.now(UTC) - timedelta(days=9, minutes=minutes)
        os.utime(folder / say_status(environment, at, system=system).name, (at.timestamp(), at.timestamp()))
    young = say_status(environment, datetime.now(UTC), system=system).name
    now = datetime.now(UTC)
    expire(environment, now=now, dry_run=True)
    before = set(names(streamed))
    expire(environment, now=now)
    left = set(names(streamed))
    assert (
        left < before and {kept, young} <= left and not any(name < f"{now - timedelta(days=1):%Y%m%d}" for name in left)
    )
    assert environment.wal_catalog.pieces() == pieces
    assert streamed.stream(1.5).gap is None


def test_a_store_that_takes_no_status_disturbs_nothing(
    wal18: Cluster, make_streamed: MakeStreamed, tmp_path: Path
) -> None:
    """A file stands where their folder should be: WAL is streamed all the same, and the report says what is missing."""
    streamed = make_streamed(wal18)
    system = str(streamed.sql("SELECT system_identifier FROM pg_control_system()")[0][0])
    folder = streamed.site.store_folder / "shop/production/wal" / system
    folder.mkdir(parents=True, mode=0o700)
    (folder / "status").write_text("in the way")
    streamed.write(100)
    began = time.monotonic()
    report = streamed.stream(3)
    assert time.monotonic() - began < 15
    assert report.stored_lsn is not None and report.partials + report.segments > 0
    assert any("how the streamer stands could not be stored" in note for note in report.notes)


def test_a_slot_dropped_under_a_streamer_is_no_loss(
    wal18: Cluster, make_streamed: MakeStreamed, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is made anew, and nothing was missing meanwhile."""
    monkeypatch.setattr(telling, "_EVERY_S", 0.5)
    streamed = make_streamed(wal18)
    with streamed.streaming() as running:
        before = awaited(streamed, lambda known: known.status.wal_status == "reserved")
        drop_slot(wal18.url(), streamed.slot)
        after = awaited(streamed, lambda known: known.status.at > before.status.at + timedelta(seconds=7))
        assert after.status.lost is None
    assert any("was made" in note for note in running.result().notes)

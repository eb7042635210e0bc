"""Rounds of one receiver of WAL: beside a load, from a backlog, and with commits that are timed."""

from __future__ import annotations

import time
from dataclasses import dataclass, field

from bench.engine import facts
from bench.latency import Commits, Watched
from bench.running import Run
from bench.streams import Receiving, Streamer, await_begun, await_covered
from bench.wal_source import Load, WalSource
from bench.watch import Watch
from holdfast.errors import PermanentError
from holdfast.values.lsn import Lsn
from holdfast.values.wal_names import WalSegment

_SETTLES_S, _LOOKED_S = 5, 0.5
_BUSY_EVERY_S, _IDLE_EVERY_S = 0.1, 3.3
_UNIT_BYTES = 60e6


@dataclass
class Rounds:
    """All rounds of one kind: megabytes a second, CPU seconds per 60 MB, memory in MiB, seconds from commit to stored.

    ``made``: what the server wrote meanwhile. Where hardly anything is written, ``cpu`` is in cores.
    """

    rates: list[float] = field(default_factory=list)
    made: list[float] = field(default_factory=list)
    cpu: list[float] = field(default_factory=list)
    peaks: list[float] = field(default_factory=list)
    waits: list[float] = field(default_factory=list)

    def count(self, done: Run, brought: int) -> None:
        """What a round took as a whole."""
        self.cpu.append(done.cpu_seconds / (brought / _UNIT_BYTES))
        self.peaks.append(done.peak_bytes / (1 << 20))


def live(source: WalSource, receiver: Receiving, load: Load, rounds: Rounds, watch: Watch) -> None:
    """Beside a load, whose first seconds do not count."""
    first = source.new_segment()
    receiver.begin(first)
    await_covered(receiver, first.start + 1)
    is_ours = isinstance(receiver, Streamer)
    # Looking at the peer's files takes time from it; ours is looked at by the names in its store.
    watched = Watched(receiver.reached if is_ours else lambda: Lsn(0))
    with watched, Commits(source.url, _BUSY_EVERY_S) as commits:
        begun, process = time.monotonic(), source.begin(load)
        time.sleep(_SETTLES_S)
        at, before, written = time.monotonic(), receiver.reached(), source.flushed()
        if process.wait(load.seconds + 60):
            raise PermanentError(f"{load.name}: ended with status {process.returncode}")
        ended, after, wrote = time.monotonic(), receiver.reached(), source.flushed()
        await_covered(receiver, wrote)
        time.sleep(_LOOKED_S)
    rounds.rates.append((after - before) / (ended - at) / 1e6)
    rounds.made.append((wrote - written) / (ended - at) / 1e6)
    if is_ours:
        rounds.waits += watched.waits([each for each in commits.made if begun < each[0] < ended])
    done = receiver.end()
    rounds.count(done, wrote - first.start)
    watch.ran(f"{receiver.name}, {load.name}, {rounds.rates[-1]:.1f} of {rounds.made[-1]:.1f} MB/s", done.seconds)


def catch_up(
    source: WalSource, receiver: Receiving, kept: tuple[WalSegment, Lsn], rounds: Rounds, watch: Watch
) -> None:
    """From a backlog; the clock starts when the first segment has come from the server, and ends with the last."""
    first, last = kept
    source.put_slot(first)
    receiver.begin(first)
    await_begun(receiver)
    at = time.monotonic()
    await_covered(receiver, last)
    seconds = time.monotonic() - at
    done = receiver.end()
    rounds.rates.append((last - first.end) / seconds / 1e6)
    rounds.count(done, last - first.start)
    if isinstance(receiver, Streamer) and facts(done)["gap"] is not None:
        raise PermanentError(f"{receiver.name}: {facts(done)['gap']}")
    watch.ran(f"{receiver.name}, backlog, {rounds.rates[-1]:.0f} MB/s", done.seconds)


def idle(source: WalSource, receiver: Streamer, seconds: float, rounds: Rounds) -> None:
    """One small commit every few seconds, and nothing else but the streamer's own marks."""
    first = source.new_segment()
    receiver.begin(first)
    await_covered(receiver, first.start + 1)
    with Watched(receiver.reached) as watched:
        with Commits(source.url, _IDLE_EVERY_S) as commits:
            time.sleep(seconds)
        await_covered(receiver, commits.made[-1][1])
        time.sleep(_LOOKED_S)
    rounds.waits += watched.waits(commits.made)
    done = receiver.end()
    rounds.peaks.append(done.peak_bytes / (1 << 20))
    rounds.cpu.append(done.cpu_seconds / done.seconds)

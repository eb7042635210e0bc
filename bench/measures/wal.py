"""Streaming of WAL into a local store against ``pg_receivewal`` alone: bytes per second, latency, CPU and memory."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import psycopg

from bench.engine import facts
from bench.figures import Figure, Result, Target
from bench.latency import Commits, Watched, percentile
from bench.physical import physical_name
from bench.policy import STREAMED
from bench.running import Run
from bench.session import Session
from bench.sources import REFERENCE, SETTINGS, ensure_reference
from bench.streams import SEGMENT_BYTES, PlainReceiver, Receiving, Streamer, await_begun
from bench.tools import Tools
from holdfast.errors import PermanentError
from holdfast.postgres.conninfo import Target as Server
from holdfast.postgres.wheel import wheel_folder
from holdfast.recovery.cluster import Cluster
from holdfast.values.lsn import Lsn
from holdfast.values.wal_names import WalSegment

_SLOT = f"holdfast_bench_{STREAMED}"
_ORIGIN = "bench_origin"
_CLIENTS, _LOAD_S, _SETTLES_S, _COVERED_S = 4, 25, 5, 60.0
_BUSY_EVERY_S, _IDLE_EVERY_S, _IDLE_S = 0.1, 3.3, 70.0
_MOST_SEGMENTS = 48
_POLL_S, _LOOKED_S = 0.1, 0.5
_UNIT_BYTES = 60e6


def measure(session: Session) -> Result:
    """Under pgbench, each receiver in turn; then both from the WAL that this left; then commits on an idle server."""
    session.end_physical(18)
    with _server(session) as bench:
        for number in range(session.rounds):
            for receiver in bench.turn(number):
                bench.live(receiver)
        first, last = bench.backlog()
        for number in range(session.rounds):
            for receiver in bench.turn(number):
                bench.catch_up(receiver, first, last)
        bench.idle()
        return bench.result()


@dataclass
class _Seen:
    """What was measured of one receiver."""

    rates: list[float] = field(default_factory=list)
    made: list[float] = field(default_factory=list)
    backlog: list[float] = field(default_factory=list)
    cpu: list[float] = field(default_factory=list)
    cpu_live: list[float] = field(default_factory=list)
    peaks: list[float] = field(default_factory=list)


@dataclass
class _Bench:
    session: Session
    cluster: Cluster
    tools: Tools
    ours: Streamer
    peer: PlainReceiver
    busy: list[float] = field(default_factory=list)
    quiet: list[float] = field(default_factory=list)
    seen: dict[str, _Seen] = field(default_factory=dict)

    def turn(self, number: int) -> tuple[Receiving, Receiving]:
        """Who begins takes turns, too."""
        return (self.ours, self.peer) if number % 2 else (self.peer, self.ours)

    def live(self, receiver: Receiving) -> None:
        """Receive what pgbench makes; the first seconds do not count. Commits are timed for ours alone."""
        self._execute("CHECKPOINT")
        self._begin_at_present(receiver)
        # Looking at the peer's files takes time from it; ours is looked at by the names in its store.
        watched = Watched(receiver.reached if receiver is self.ours else lambda: Lsn(0))
        with watched, Commits(self.cluster.url(REFERENCE), _BUSY_EVERY_S) as commits:
            begun = time.monotonic()
            load = self._pgbench()
            time.sleep(_SETTLES_S)
            at, before, written = time.monotonic(), receiver.reached(), self._written()
            if load.wait(_LOAD_S + 30):
                raise PermanentError(f"pgbench: ended with status {load.returncode}")
            ended, after = time.monotonic(), receiver.reached()
            made = (self._written() - written) / (time.monotonic() - at) / 1e6
            self._await(receiver, self._written())
            time.sleep(_LOOKED_S)
        own = self._seen(receiver)
        own.made.append(made)
        own.rates.append((after - before) / (ended - at) / 1e6)
        if receiver is self.ours:
            self.busy += watched.waits([each for each in commits.made if begun < each[0] < ended])
        done = receiver.end()
        own.cpu_live.append(done.cpu_seconds / done.seconds)
        own.peaks.append(done.peak_bytes / (1 << 20))
        self.session.watch.ran(f"{receiver.name}, live, {own.rates[-1]:.1f} MB/s", done.seconds)

    def backlog(self) -> tuple[WalSegment, Lsn]:
        """What the loads have left: its first segment, and an end that is that of a segment."""
        self._execute("SELECT pg_switch_wal()")
        self._execute("CHECKPOINT")
        held = self._lsn(f"SELECT restart_lsn::text FROM pg_replication_slots WHERE slot_name = '{_ORIGIN}'")
        written = WalSegment.at(1, self._written(), SEGMENT_BYTES)
        first = WalSegment.at(1, held, SEGMENT_BYTES)
        return WalSegment(1, max(first.number, written.number - _MOST_SEGMENTS), SEGMENT_BYTES), written.start

    def catch_up(self, receiver: Receiving, first: WalSegment, last: Lsn) -> None:
        """Bring in the backlog, counted from the start of the program on."""
        self._drop_slot(_SLOT)
        if receiver is self.ours:
            self._execute(f"SELECT pg_copy_physical_replication_slot('{_ORIGIN}', '{_SLOT}')")
            wanted = self._lsn(
                f"SELECT greatest(restart_lsn, '{first.start}')::text FROM pg_replication_slots WHERE slot_name = '{_SLOT}'"
            )
            self._execute(f"SELECT pg_replication_slot_advance('{_SLOT}', '{wanted}')")
        began = time.monotonic()
        receiver.begin(first)
        self._await(receiver, last)
        seconds = time.monotonic() - began
        done, own = receiver.end(), self._seen(receiver)
        own.backlog.append((last - first.start) / seconds / 1e6)
        own.cpu.append(done.cpu_seconds / ((last - first.start) / _UNIT_BYTES))
        own.peaks.append(done.peak_bytes / (1 << 20))
        self._demand_no_gap(receiver, done)
        self.session.watch.ran(f"{receiver.name}, backlog, {own.backlog[-1]:.0f} MB/s", seconds)

    def idle(self) -> None:
        """One small commit every few seconds, and nothing else but the streamer's own marks."""
        self._begin_at_present(self.ours)
        with Watched(self.ours.reached) as watched:
            with Commits(self.cluster.url(REFERENCE), _IDLE_EVERY_S) as commits:
                time.sleep(_IDLE_S)
            self._await(self.ours, commits.made[-1][1])
            time.sleep(_LOOKED_S)
        self.quiet += watched.waits(commits.made)
        self.ours.end()

    def result(self) -> Result:
        """Figures and targets of all rounds."""
        ours, peer = self._seen(self.ours), self._seen(self.peer)
        live = [Figure.of(f"{name}, under pgbench", "MB/s", own.rates) for name, own in self.seen.items()]
        made = [Figure.of(f"pgbench's WAL beside {name}", "MB/s", own.made) for name, own in self.seen.items()]
        behind = [Figure.of(f"{name}, backlog", "MB/s", own.backlog) for name, own in self.seen.items()]
        cpu = [Figure.of(f"CPU, {name}, per 60 MB", "s", own.cpu, "backlog") for name, own in self.seen.items()]
        kept = [Figure.of(f"CPU, {name}, cores", "s/s", own.cpu_live, "live") for name, own in self.seen.items()]
        more = (
            Figure.of("commit to stored, under pgbench", "s", self.busy),
            Figure.of("commit to stored, idle", "s", self.quiet),
            Figure.of("memory of ours with its pg_receivewal", "MiB", ours.peaks),
        )
        cpu_s = Figure.of("", "s", ours.cpu).median
        targets = (
            Target("live / pg_receivewal", _ratio(ours.rates, peer.rates), 0.8, is_upper=False),
            Target("backlog / pg_receivewal", _ratio(ours.backlog, peer.backlog), 0.8, is_upper=False),
            Target("p99 to stored, busy", percentile(self.busy, 0.99), 10, unit="s"),
            Target("p99 to stored, idle", percentile(self.quiet, 0.99), 15, unit="s"),
            Target("CPU at 60 MB/s", cpu_s, 1, unit="cores"),
        )
        return Result(
            (*live, *made, *behind, *cpu, *kept, *more),
            targets,
            (
                f"pgbench -c {_CLIENTS}; to stored: p50 busy {percentile(self.busy, 0.5):.2f} s, idle "
                f"{percentile(self.quiet, 0.5):.2f} s",
                "a backlog is counted from the program's start on, as far as the last byte is in; pg_receivewal's "
                "open segment counts as it grows, of ours only what is stored",
            ),
        )

    def _begin_at_present(self, receiver: Receiving) -> None:
        """In a segment of its own, with a slot that stands there."""
        self._drop_slot(_SLOT)
        self._execute("SELECT pg_switch_wal()")
        first = WalSegment.at(1, self._written(), SEGMENT_BYTES)
        self._execute("CREATE TABLE IF NOT EXISTS bench_commits (n int); INSERT INTO bench_commits VALUES (0)")
        if receiver is self.ours:
            self._execute(f"SELECT pg_create_physical_replication_slot('{_SLOT}', true)")
            self._execute(f"SELECT pg_replication_slot_advance('{_SLOT}', '{self._written()}')")
        receiver.begin(first)
        await_begun(receiver, first)

    def _pgbench(self) -> subprocess.Popen[bytes]:
        argv = [self.cluster.bin / "pgbench", "-n", "-c", str(_CLIENTS), "-T", str(_LOAD_S), REFERENCE]
        return subprocess.Popen(
            ["setpriv", "--pdeathsig", "TERM", "--", *map(str, argv)],
            env=dict(self.tools.env),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )

    def _await(self, receiver: Receiving, lsn: Lsn) -> None:
        deadline = time.monotonic() + _COVERED_S
        while receiver.reached() < lsn:
            if time.monotonic() > deadline:
                raise PermanentError(f"{receiver.name}: at {receiver.reached()}, not at {lsn}, after {_COVERED_S:g} s")
            time.sleep(_POLL_S)

    def _demand_no_gap(self, receiver: Receiving, done: Run) -> None:
        if receiver is self.ours and facts(done)["gap"] is not None:
            raise PermanentError(f"{receiver.name}: {facts(done)['gap']}")

    def _seen(self, receiver: Receiving) -> _Seen:
        return self.seen.setdefault(receiver.name, _Seen())

    def _written(self) -> Lsn:
        return self._lsn("SELECT pg_current_wal_flush_lsn()::text")

    def _lsn(self, query: str) -> Lsn:
        return Lsn.parse(str(self._execute(query)))

    def _drop_slot(self, name: str) -> None:
        # A slot is busy for a moment longer than the session that used it.
        self._execute(
            "SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots "
            f"WHERE slot_name = '{name}' AND NOT active"
        )

    def _execute(self, query: str) -> object:
        with psycopg.connect(self.cluster.url(REFERENCE), autocommit=True) as session:
            answer = session.execute(query.encode())
            row = answer.fetchone() if answer.description else None
            return row[0] if row else None


@contextmanager
def _server(session: Session) -> Iterator[_Bench]:
    """The reference on 18 without anybody's slot, and both receivers."""
    place = session.place
    folder = place.root / physical_name(18)
    with session.watch.doing("starting PostgreSQL 18"):
        cluster = Cluster(
            folder, wheel_folder(), config={**SETTINGS, "wal_keep_size": "1GB"}, socket_dir=folder / "socket"
        )
    with cluster:
        tools = Tools.of(cluster.bin, Server.parse(cluster.url()), place.files)
        ensure_reference(cluster, tools, session.scale, session.watch)
        _drop_all_slots(cluster)
        with psycopg.connect(cluster.url(), autocommit=True) as control:
            control.execute("SELECT pg_create_physical_replication_slot(%s, true)", [_ORIGIN])
        ours = Streamer(session.offline.knowing(STREAMED, cluster.url(REFERENCE)), STREAMED)
        peer = PlainReceiver(cluster.bin / "pg_receivewal", tools.env, place.files / "received")
        try:
            yield _Bench(session, cluster, tools, ours, peer)
        finally:
            # They would keep all WAL to come.
            _drop_all_slots(cluster)


def _drop_all_slots(cluster: Cluster) -> None:
    with psycopg.connect(cluster.url(), autocommit=True) as control:
        control.execute("SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots WHERE NOT active")


def _ratio(ours: list[float], theirs: list[float]) -> float:
    return Figure.of("", "MB/s", ours).median / Figure.of("", "MB/s", theirs).median

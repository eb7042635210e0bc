"""Streaming of WAL into a local store against ``pg_receivewal`` alone: bytes per second, latency, CPU and memory."""

from __future__ import annotations

from statistics import median

from bench.figures import Figure, Result, Target
from bench.latency import percentile
from bench.policy import STREAMED
from bench.session import Session
from bench.streams import PlainReceiver, Streamer
from bench.wal_rounds import Rounds, catch_up, idle, live
from bench.wal_source import BULK, PGBENCH, Load, WalSource, wal_source

_IDLE_S = 70.0
_MOST_SEGMENTS = 64
_BACKLOG = "backlog"
_Pair = tuple[Rounds, Rounds]


def measure(session: Session) -> Result:
    """Beside loads, each receiver in turn; both from the WAL that one left; then commits on an idle server."""
    session.end_physical(18)
    with wal_source(session) as source:
        ours = Streamer(session.offline.knowing(STREAMED, source.url), STREAMED)
        peer = PlainReceiver(source.cluster.bin / "pg_receivewal", source.tools.env, session.place.files / "received")
        source.hold()
        seen = {PGBENCH.name: _beside(session, source, (ours, peer), PGBENCH)}
        seen[_BACKLOG] = _behind(session, source, (ours, peer))
        source.release()
        seen[BULK.name] = _beside(session, source, (ours, peer), BULK)
        quiet = Rounds()
        idle(source, ours, _IDLE_S, quiet)
    return Result((*_figures(seen), *_own(seen, quiet)), _targets(seen, quiet), _notes(seen, quiet))


def _beside(session: Session, source: WalSource, both: tuple[Streamer, PlainReceiver], load: Load) -> _Pair:
    rounds = Rounds(), Rounds()
    for number in range(session.rounds):
        for index in (0, 1) if number % 2 else (1, 0):
            live(source, both[index], load, rounds[index], session.watch)
    return rounds


def _behind(session: Session, source: WalSource, both: tuple[Streamer, PlainReceiver]) -> _Pair:
    rounds, kept = (Rounds(), Rounds()), source.held(_MOST_SEGMENTS)
    for number in range(session.rounds):
        for index in (0, 1) if number % 2 else (1, 0):
            catch_up(source, both[index], kept, rounds[index], session.watch)
    return rounds


def _figures(seen: dict[str, _Pair]) -> list[Figure]:
    found = []
    for load, pair in seen.items():
        for name, own in zip((Streamer.name, PlainReceiver.name), pair, strict=True):
            made = f"of {median(own.made):.1f} that were written" if own.made else ""
            found.append(Figure.of(f"{name}, {load}", "MB/s", own.rates, made))
    for load, pair in seen.items():
        for name, own in zip((Streamer.name, PlainReceiver.name), pair, strict=True):
            found.append(Figure.of(f"CPU per 60 MB, {name}, {load}", "s", own.cpu, "start and end of it included"))
    return found


def _own(seen: dict[str, _Pair], quiet: Rounds) -> list[Figure]:
    return [
        *(Figure.of(f"commit to stored, {load}", "s", ours.waits) for load, (ours, _) in seen.items() if ours.waits),
        Figure.of("commit to stored, idle", "s", quiet.waits),
        Figure.of("CPU, idle", "s/s", quiet.cpu),
        Figure.of("memory with its pg_receivewal", "MiB", [*_peaks(seen), *quiet.peaks]),
    ]


def _targets(seen: dict[str, _Pair], quiet: Rounds) -> tuple[Target, ...]:
    ratios = {load: median(ours.rates) / median(peer.rates) for load, (ours, peer) in seen.items()}
    busy = [percentile(ours.waits, 0.99) for ours, _ in seen.values() if ours.waits]
    return (
        *(Target(f"{load} / pg_receivewal", ratio, 0.8, is_upper=False) for load, ratio in ratios.items()),
        Target("p99 to stored, busy", max(busy), 10, unit="s"),
        Target("p99 to stored, idle", percentile(quiet.waits, 0.99), 15, unit="s"),
        Target("CPU at 60 MB/s", median(seen[BULK.name][0].cpu), 1, unit="cores"),
    )


def _notes(seen: dict[str, _Pair], quiet: Rounds) -> tuple[str, ...]:
    waits = {load: ours.waits for load, (ours, _) in seen.items() if ours.waits} | {"idle": quiet.waits}
    told = "; ".join(
        f"{load} p50 {percentile(own, 0.5):.2f} s, p99 {percentile(own, 0.99):.2f} s" for load, own in waits.items()
    )
    return (
        f"commit to stored: {told}",
        "the segment that pg_receivewal receives counts as it grows, of ours only what is in the store",
    )


def _peaks(seen: dict[str, _Pair]) -> list[float]:
    return [peak for ours, _ in seen.values() for peak in ours.peaks]

"""A snapshot of a million small files of which none has changed: memory, and time for each, beside fewer files."""

from __future__ import annotations

from bench.figures import Figure, Result, Target
from bench.policy import CROWD, MILLION
from bench.running import Run
from bench.series import Contender, alternate
from bench.session import Session
from bench.trees import crowd

_FEW = 20_000
_LIMIT_MIB = 600


def measure(session: Session) -> Result:
    """Peak memory and microseconds for each file, of both trees in turn."""
    engine, media, many = session.offline, session.place.media, session.scale.most_files
    engine.forget(CROWD)
    engine.forget(MILLION)
    with crowd(media / CROWD, _FEW, session.watch), crowd(media / MILLION, many, session.watch):

        def sync(environment: str) -> Run:
            return engine.media("sync", environment, watches_memory=True)

        firsts = [sync(CROWD), sync(MILLION)]
        session.watch.ran("first sync of both, not judged", sum(done.seconds for done in firsts))
        contenders = [
            Contender(f"unchanged sync of {_FEW} files", lambda: sync(CROWD)),
            Contender(f"unchanged sync of {many} files", lambda: sync(MILLION)),
        ]
        few_runs, many_runs = alternate(contenders, session.rounds, session.watch)
    engine.forget(CROWD)
    engine.forget(MILLION)
    few = Figure.of(f"each of {_FEW} files", "µs", [done.seconds * 1e6 / _FEW for done in few_runs])
    each = Figure.of(f"each of {many} files", "µs", [done.seconds * 1e6 / many for done in many_runs])
    start = Figure.of("CPU, each of the many", "µs", [done.cpu_seconds * 1e6 / many for done in many_runs])
    peak = Figure.of(f"peak memory, {many} files", "MiB", [done.peak_bytes / (1 << 20) for done in many_runs])
    first_peak = Figure.of("peak memory of the first sync", "MiB", [firsts[1].peak_bytes / (1 << 20)], "not judged")
    first = Figure.of("the first sync", "s", [firsts[1].seconds], "not judged")
    return Result(
        (few, each, start, peak, first, first_peak),
        (
            Target(f"each of {many} files / each of {_FEW}", each.median / few.median, 1.0),
            Target("peak memory", max(peak.samples), _LIMIT_MIB, unit="MiB"),
        ),
    )

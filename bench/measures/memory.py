"""The most memory that the process of Holdfast itself ever held, on data that no compression makes smaller."""

from __future__ import annotations

from collections.abc import Callable

from bench.engine import facts
from bench.figures import Figure, Result, Target
from bench.policy import BLOBS_LOCAL, BLOBS_S3, REFERENCE_LOCAL
from bench.running import Run
from bench.s3 import object_store
from bench.session import TARGET, Session

_ROUNDS = 3
_LIMIT_MIB = 200


def measure(session: Session) -> Result:
    """Peak resident memory of each command."""
    engine, tools = session.engine, session.tools
    with object_store(session.place, engine) as with_s3:

        def backup(environment: str) -> Callable[[], Run]:
            return lambda: with_s3.backup(environment, watches_memory=True)

        def restore(id: str, jobs: int) -> Callable[[], Run]:
            def once() -> Run:
                tools.drop(TARGET)
                options = (id, "--to", TARGET, "--jobs", str(jobs))
                return engine.on("restore", BLOBS_LOCAL, *options, watches_memory=True)

            return once

        engine.forget(BLOBS_LOCAL)
        figures = [
            _peak(session, "backup to a local store, reference database", backup(REFERENCE_LOCAL)),
            _peak(session, "backup to a local store", backup(BLOBS_LOCAL)),
            _peak(session, "backup to S3", backup(BLOBS_S3)),
        ]
        id, remote = engine.newest(BLOBS_LOCAL), with_s3.newest(BLOBS_S3)
        stored = float(str(facts(engine.on("verify", BLOBS_LOCAL, id))["bytes"]))
        figures += [
            _peak(session, "verify", lambda: engine.on("verify", BLOBS_LOCAL, id, watches_memory=True)),
            _peak(session, "verify from S3", lambda: with_s3.on("verify", BLOBS_S3, remote, watches_memory=True)),
            _peak(session, "restore --jobs 2", restore(id, 2)),
            _peak(session, "restore --jobs 1", restore(id, 1)),
        ]
        tools.drop(TARGET)
        engine.forget(BLOBS_LOCAL)
    most = max(max(figure.samples) for figure in figures)
    target = Target("the most of all", most, _LIMIT_MIB, unit="MiB")
    return Result(tuple(figures), (target,), (f"stored dump of {stored / (1 << 20):.0f} MiB where not said otherwise",))


def _peak(session: Session, name: str, once: Callable[[], Run]) -> Figure:
    peaks = []
    for _ in range(min(session.rounds, _ROUNDS)):
        done = once()
        peaks.append(done.peak_bytes / (1 << 20))
        session.watch.ran(f"{name}, {peaks[-1]:.0f} MiB", done.seconds)
    return Figure.of(name, "MiB", peaks)

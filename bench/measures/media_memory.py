"""The most memory that the process of Holdfast held with one very large file, and with very many small ones."""

from __future__ import annotations

import shutil
from collections.abc import Callable

from bench.figures import Figure, Result, Target
from bench.policy import CROWD, LARGE_FILE
from bench.running import Run
from bench.session import Session
from bench.trees import crowd, large_file

_LIMIT_MIB = 300


def measure(session: Session) -> Result:
    """Peak resident memory of each command."""
    scale, media = session.scale, session.place.media
    with large_file(media / LARGE_FILE, scale.large_file_bytes, session.watch):
        figures = _all(session, LARGE_FILE, f"a file of {scale.large_file_bytes >> 20} MiB")
    with crowd(media / CROWD, scale.crowd, session.watch):
        figures += _all(session, CROWD, f"{scale.crowd} small files")
    most = max(max(figure.samples) for figure in figures)
    return Result(tuple(figures), (Target("the most of all", most, _LIMIT_MIB, unit="MiB"),))


def _all(session: Session, environment: str, what: str) -> list[Figure]:
    engine = session.offline
    target = session.place.files / "restored"

    def command(name: str, *arguments: str) -> Callable[[], Run]:
        return lambda: engine.media(name, environment, *arguments, watches_memory=True)

    engine.forget(environment)
    figures = [
        _peak(session, f"first sync, {what}", command("sync")),
        _peak(session, f"sync of an unchanged tree, {what}", command("sync")),
        _peak(session, f"check, {what}", command("check")),
        _peak(session, f"restore, {what}", command("restore", "latest", "--to", str(target))),
    ]
    shutil.rmtree(target)
    engine.forget(environment)
    return figures


def _peak(session: Session, name: str, once: Callable[[], Run]) -> Figure:
    done = once()
    peak = done.peak_bytes / (1 << 20)
    session.watch.ran(f"{name}, {peak:.0f} MiB", done.seconds)
    return Figure.of(name, "MiB", [peak], f"{done.seconds:.1f} s")

"""A whole backup against what it is built on, and against what backup guides prescribe."""

from __future__ import annotations

from bench.engine import facts
from bench.figures import Figure, Result, Target
from bench.policy import REFERENCE_LOCAL
from bench.running import Run
from bench.series import Contender, alternate
from bench.session import Session
from bench.sources import REFERENCE, size_bytes

_SLOW_ROUNDS = 3


def measure(session: Session) -> Result:
    """Seconds of each, in turn."""
    engine, tools = session.engine, session.tools
    file = session.place.files / "plain.dump"

    def clear() -> None:
        engine.forget(REFERENCE_LOCAL)
        for leftover in session.place.files.glob("plain.dump*"):
            leftover.unlink()

    def floor() -> Run:
        return tools.dump(REFERENCE, file, "--compress=zstd:1")

    contenders = (
        Contender("holdfast backup", lambda: engine.backup(REFERENCE_LOCAL), clear),
        Contender("pg_dump zstd:1", floor, clear),
        Contender("pg_dump zstd:1, then sync", lambda: floor().then(tools.sync(file)), clear),
        Contender("pg_dump, then gpg", lambda: tools.dump(REFERENCE, file).then(tools.gpg(file)), clear, _SLOW_ROUNDS),
    )
    runs = alternate(contenders, session.rounds, session.watch)
    notes = (
        "counts, read-back and fsync included",
        "not on disk for certain",
        "",
        "gzip, then AES256",
    )
    figures = tuple(
        Figure.of(contender.name, "s", [done.seconds for done in own], note)
        for contender, own, note in zip(contenders, runs, notes, strict=True)
    )
    ours, plain, synced, gpg = figures
    cpu = tuple(
        Figure.of(f"CPU, {contender.name}", "s", [done.cpu_seconds for done in own])
        for contender, own in zip(contenders, runs, strict=True)
    )
    return Result(
        (*figures, *cpu, *_steps(runs[0])),
        (
            Target("backup / pg_dump zstd:1", ours.median / plain.median, 1.10),
            Target("(pg_dump, gpg) / backup", gpg.median / ours.median, 4.0, is_upper=False),
        ),
        (
            f"database of {size_bytes(session.cluster, REFERENCE) / 1e6:.0f} MB, "
            f"{float(str(facts(runs[0][0])['bytes'])) / 1e6:.0f} MB stored",
            f"backup / (pg_dump zstd:1, then sync) = {ours.median / synced.median:.3f}",
            "CPU: user and system time of the programs and their children, without the server's",
        ),
    )


def _steps(runs: list[Run]) -> tuple[Figure, ...]:
    inside = [float(str(facts(done)["seconds"])) for done in runs]
    outside = [done.seconds - own for done, own in zip(runs, inside, strict=True)]
    return (Figure.of("of the backup: process start and end", "s", outside),)

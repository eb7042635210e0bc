"""Base backups against the pipe that their parts make, and against pgBackRest."""

from __future__ import annotations

from bench.figures import Figure, Result, Target
from bench.pgbackrest import PgBackRest
from bench.physical import Physical, stored_bytes
from bench.running import Run
from bench.series import Contender, alternate
from bench.session import Session
from bench.sources import REFERENCE, size_bytes


def measure(session: Session) -> Result:
    """Seconds of each, in turn: on 18 with incrementals, on 15 beside pgBackRest where that is installed."""
    figures, targets, notes = _on_18(session, session.physical(18))
    session.end_physical(18)
    more, beside, said = _beside_pgbackrest(session, session.physical(15))
    return Result((*figures, *more), (*targets, *beside), (*notes, *said))


_Part = tuple[tuple[Figure, ...], tuple[Target, ...], tuple[str, ...]]


def _on_18(session: Session, physical: Physical) -> _Part:
    file = session.place.files / "piped.age"
    recipient = (session.place.keys / "recipient.txt").read_text().split()[-1]
    physical.forget()
    contenders = (
        Contender("holdfast base-backup --full", lambda: physical.base_backup("--full")),
        Contender(
            "pg_basebackup | zstd -1 -T2 | age",
            lambda: physical.piped(recipient, file),
            lambda: file.unlink(missing_ok=True),
        ),
        Contender("holdfast base-backup, 1 % changed", physical.base_backup, physical.change),
        Contender("pg_basebackup > /dev/null", physical.read_only),
    )
    runs = alternate(contenders, session.rounds, session.watch)
    figures = _figures(contenders, runs)
    ours, piped, changed, _ = figures
    return (
        (*figures, *_cpu(contenders, runs)),
        (
            Target("base backup / pipe", ours.median / piped.median, 0.75),
            Target("incremental / full", changed.median / ours.median, 0.25),
        ),
        (
            f"cluster of {size_bytes(physical.cluster, REFERENCE) / 1e6:.0f} MB; stored: full "
            f"{stored_bytes(runs[0][-1]) / 1e6:.0f} MB, incremental {stored_bytes(runs[2][-1]) / 1e6:.1f} MB",
            "base backups include the wait for their WAL, which `holdfast wal stream` stores beside",
        ),
    )


def _beside_pgbackrest(session: Session, physical: Physical) -> _Part:
    peer = PgBackRest.of(session.place, physical)
    if peer is None:
        return (), (), ("pgBackRest is not installed: nothing is compared with it",)
    contenders = (
        Contender("holdfast base-backup, server 15", lambda: physical.base_backup("--full"), physical.forget),
        Contender(f"{peer.name} full, server 15", peer.full, peer.forget),
    )
    runs = alternate(contenders, session.rounds, session.watch)
    figures = _figures(contenders, runs)
    target = Target("base backup / pgBackRest", figures[0].median / figures[1].median, 0.9)
    return figures, (target,), ("pgBackRest: zst level 1, aes-256-cbc, 2 processes",)


def _figures(contenders: tuple[Contender, ...], runs: list[list[Run]]) -> tuple[Figure, ...]:
    return tuple(
        Figure.of(contender.name, "s", [done.seconds for done in own])
        for contender, own in zip(contenders, runs, strict=True)
    )


def _cpu(contenders: tuple[Contender, ...], runs: list[list[Run]]) -> tuple[Figure, ...]:
    return tuple(
        Figure.of(f"CPU, {contender.name}", "s", [done.cpu_seconds for done in own])
        for contender, own in zip(contenders, runs, strict=True)
    )

"""A server that stands at the target of its recovery, and the error of one that never came there."""

from __future__ import annotations

from dataclasses import dataclass

from holdfast.errors import RestoreError
from holdfast.pitr.reached import Point
from holdfast.pitr.server import ReplayServer
from holdfast.postgres.conninfo import Target


class TargetNotReached(RestoreError):
    """The WAL ended before the target."""


@dataclass(frozen=True, slots=True)
class Running:
    """A server at the target, promoted or paused: ``target`` leads to it as superuser."""

    target: Target
    point: Point
    server: ReplayServer
    is_cut_off: bool
    replay_seconds: float
    wal_bytes: int
    waited_seconds: float
    notes: tuple[str, ...]


def told(point: Point) -> str:
    """Where it stands, for people."""
    moment = "before any commit" if point.time is None else f"at {point.time.isoformat()}"
    return f"{moment}, LSN {point.lsn}, timeline {point.timeline}"

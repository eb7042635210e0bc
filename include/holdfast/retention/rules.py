"""The retention rules of restore points (docs/design.md, invariant 2)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

from holdfast.values.duration import Duration
from holdfast.values.ids import RestorePointId


@dataclass(frozen=True, slots=True)
class Point:
    """What retention must know of a restore point.

    ``snapshot_at``: the database server's time at its snapshot; the id's own time is the backup host's, whose
    clock may have been wrong. ``is_trusted``: its signature fits and it
    belongs where it lies. ``is_verified``: it was read back whole before it was signed, and all its
    artifacts still stand in the store. ``stored_at``: when the store received its manifest, by the store's clock.
    ``is_media_whole``: so does all that its paired media snapshot needs, where it has one.
    """

    id: RestorePointId
    snapshot_at: datetime
    is_held: bool
    is_trusted: bool
    is_verified: bool
    stored_at: datetime | None = None
    is_media_whole: bool = True

    @property
    def taken_at(self) -> datetime:
        """The later of the two times: a clock that was behind does not make a point old."""
        return max(self.id.opened_at, self.snapshot_at)

    @property
    def taken_at_least(self) -> datetime:
        """The earlier of the two: a clock that was ahead does not make a point the newest for ever."""
        return min(self.id.opened_at, self.snapshot_at)


@dataclass(frozen=True, slots=True)
class Decision:
    """Keep or delete one restore point, and why, in words for people."""

    id: RestorePointId
    keep: bool
    reason: str


def decide(points: Iterable[Point], keep: Mapping[str, Duration], now: datetime) -> list[Decision]:
    """One decision for every point, oldest first.

    ``keep`` maps each tier to its span; ``now`` is aware. Whatever ``now`` says, these stay: what is
    held, the newest verified point of the environment, the newest whose own artifacts stand though its
    media do not, what cannot be trusted (deleting it would destroy evidence), and every point of a tier
    without a rule.
    """
    ordered = sorted(points, key=lambda point: point.id)
    newest = newest_verified(ordered)
    newest_alone = _newest(point for point in ordered if point.is_verified and point.is_trusted)
    return [_decide_one(point, keep, now, newest, newest_alone) for point in ordered]


def newest_verified(points: Iterable[Point]) -> set[RestorePointId]:
    """The newest of those that are trusted and whole, media included, by any of their clocks; empty without any."""
    return _newest(point for point in points if point.is_verified and point.is_trusted and point.is_media_whole)


def _newest(points: Iterable[Point]) -> set[RestorePointId]:
    """By the later and the earlier of host and server, and by the store: the first two may lie on one machine."""
    found = list(points)
    orders: tuple[Callable[[Point], tuple[datetime, RestorePointId]], ...] = (
        lambda point: (point.taken_at, point.id),
        lambda point: (point.taken_at_least, point.id),
        lambda point: (point.stored_at or point.taken_at_least, point.id),
    )
    return {max(found, key=order).id for order in orders} if found else set()


def _decide_one(
    point: Point,
    keep: Mapping[str, Duration],
    now: datetime,
    newest: set[RestorePointId],
    newest_alone: set[RestorePointId],
) -> Decision:
    span = keep.get(point.id.tier)
    if point.is_held:
        return Decision(point.id, True, "held")
    if point.id in newest:
        return Decision(point.id, True, "newest verified restore point of the environment")
    if point.id in newest_alone:
        return Decision(point.id, True, "newest restore point of the environment, but its media are not whole")
    if not point.is_trusted:
        return Decision(point.id, True, "its signature or place is wrong: left for a person to look at")
    if span is None:
        return Decision(point.id, True, f"tier {point.id.tier} has no retention in the policy")
    if not newest:
        return Decision(point.id, True, "no verified restore point is left: nothing is deleted")
    if point.taken_at >= span.before(now):
        return Decision(point.id, True, f"within {span} of tier {point.id.tier}")
    return Decision(point.id, False, f"older than {span} of tier {point.id.tier}")

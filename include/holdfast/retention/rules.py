"""The retention rules of restore points (docs/design.md, invariant 2)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from holdfast.values.duration import Duration
from holdfast.values.ids import RestorePointId


@dataclass(frozen=True, slots=True)
class Point:
    """What retention must know of a restore point.

    ``snapshot_at``: the database server's time at its snapshot; the id's own time is the backup host's, whose
    clock may have been wrong. ``is_trusted``: its signature fits and it
    belongs where it lies. ``is_whole``: it was read back before it was signed, and all its artifacts still stand in
    the store. ``stored_at``: when the store received its manifest, by the store's clock. ``is_media_whole``: so does
    all that its paired media snapshot needs, where it has one. ``is_restored``: its newest restore check passed;
    ``has_failed``: that one did not pass. ``is_disputed``: a newer record of a check stands there, but cannot be
    trusted: it may have been a failed one.
    """

    id: RestorePointId
    snapshot_at: datetime
    is_held: bool
    is_trusted: bool
    is_whole: bool
    stored_at: datetime | None = None
    is_media_whole: bool = True
    is_restored: bool = False
    has_failed: bool = False
    is_disputed: bool = False

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

    ``keep`` maps each tier to its span; ``now`` is aware. Whatever ``now`` says, these stay: what is held, the
    newest verified point of the environment, the newest that is whole, the newest whole one that no restore check
    speaks against, the newest whose own artifacts stand though its media do not, what cannot be trusted (deleting it
    would destroy evidence), and every point of a tier without a rule.
    """
    ordered = sorted(points, key=lambda point: point.id)
    protected = _protected(ordered)
    has_whole = bool(newest_whole(ordered))
    return [_decide_one(point, keep, now, protected, has_whole) for point in ordered]


def newest_verified(points: Iterable[Point]) -> set[RestorePointId]:
    """The newest of those that are whole, media included, and were restored, by any of their clocks.

    So is the newest whose record nobody disputes: who spoils a record must not choose what is verified.
    """
    restored = [point for point in points if _stands(point) and point.is_restored]
    return _newest(restored) | _newest(point for point in restored if not point.is_disputed)


def newest_whole(points: Iterable[Point]) -> set[RestorePointId]:
    """The newest of those that are trusted and whole, media included, by any of their clocks; empty without any."""
    return _newest(point for point in points if _stands(point))


def newest_undoubted(points: Iterable[Point]) -> set[RestorePointId]:
    """The newest of the whole ones that no restore check speaks against, by any of their clocks."""
    return _newest(point for point in points if _stands(point) and not point.has_failed)


def _stands(point: Point) -> bool:
    return point.is_whole and point.is_trusted and point.is_media_whole


def _protected(points: Sequence[Point]) -> dict[RestorePointId, str]:
    """What stays whatever the clock says, with the strongest reason of each."""
    newest = "newest restore point of the environment"
    failed = {point.id for point in points if point.has_failed}
    alone = _newest(point for point in points if point.is_whole and point.is_trusted)
    found = dict.fromkeys(alone, f"{newest}, but its media are not whole")
    found |= dict.fromkeys(newest_undoubted(points), "newest whole restore point without a failed restore check")
    for id in newest_whole(points):
        found[id] = f"{newest}, but its restore check failed" if id in failed else f"{newest}, not restored yet"
    return found | dict.fromkeys(newest_verified(points), "newest verified restore point of the environment")


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
    protected: Mapping[RestorePointId, str],
    has_whole: bool,
) -> Decision:
    span = keep.get(point.id.tier)
    if point.is_held:
        return Decision(point.id, True, "held")
    if point.id in protected:
        return Decision(point.id, True, protected[point.id])
    if not point.is_trusted:
        return Decision(point.id, True, "its signature or place is wrong: left for a person to look at")
    if span is None:
        return Decision(point.id, True, f"tier {point.id.tier} has no retention in the policy")
    if not has_whole:
        return Decision(point.id, True, "no whole restore point is left: nothing is deleted")
    if point.taken_at >= span.before(now):
        return Decision(point.id, True, f"within {span} of tier {point.id.tier}")
    return Decision(point.id, False, f"older than {span} of tier {point.id.tier}")

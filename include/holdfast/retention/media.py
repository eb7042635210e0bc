"""The retention rules of media: which snapshots, shards and check records stay (docs/design.md, "Retention")."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

from holdfast.retention.rules import Decision
from holdfast.values.duration import Duration
from holdfast.values.ids import RestorePointId

MEDIA_TIER = "media"
CHECKS_KEPT = 60
CHECKS_KEPT_FOR = Duration.parse("90d")


@dataclass(frozen=True, slots=True)
class Snapshot:
    """What retention must know of a media snapshot.

    ``finished_at``: by its manifest, the id's time where that cannot be trusted. ``stored_at``: when the store
    received the manifest, by the store's clock. ``is_trusted``: its signature fits and it belongs where it lies.
    ``is_whole``: its listing and all its shards stand in the store in the recorded size.
    """

    id: RestorePointId
    finished_at: datetime
    stored_at: datetime
    is_trusted: bool
    is_whole: bool

    @property
    def taken_at(self) -> datetime:
        """The later of id and manifest: a clock that was behind does not make a snapshot old."""
        return max(self.id.opened_at, self.finished_at)

    @property
    def taken_at_least(self) -> datetime:
        """The earlier of the two: a clock that was ahead does not make a snapshot the newest for ever."""
        return min(self.id.opened_at, self.finished_at)


@dataclass(frozen=True, slots=True)
class PointsLeft:
    """The restore points that stand once theirs were expired, and what is left of unfinished ones."""

    committed: frozenset[RestorePointId] = frozenset()
    held: frozenset[RestorePointId] = frozenset()
    unfinished: frozenset[RestorePointId] = frozenset()


@dataclass(frozen=True, slots=True)
class MediaRules:
    """What the policy says. ``keep``: of the media tier, None for ever. ``point_tiers``: those of restore points."""

    keep: Duration | None
    point_tiers: Collection[str]
    grace: Duration


def decide_snapshots(
    snapshots: Iterable[Snapshot], points: PointsLeft, rules: MediaRules, now: datetime
) -> list[Decision]:
    """One decision for every media snapshot, oldest first.

    Whatever ``now`` (aware) says, these stay: what belongs to a restore point that stands, the newest snapshot of
    the environment by any clock, whole or not, what cannot be trusted, and what no rule covers.
    """
    ordered = sorted(snapshots, key=_by_id)
    trusted = [snapshot for snapshot in ordered if snapshot.is_trusted]
    whole = [snapshot for snapshot in trusted if snapshot.is_whole]
    newest = _newest(trusted) | _newest(whole)

    def decision(snapshot: Snapshot) -> Decision:
        reason = _unconditional(snapshot, points, newest)
        if reason is None and not whole:
            reason = "no whole media snapshot is left: nothing is deleted"
        if reason is not None:
            return Decision(snapshot.id, True, reason)
        if snapshot.id.tier == MEDIA_TIER:
            return _by_age(snapshot, rules.keep, now)
        if snapshot.id.tier in rules.point_tiers:
            return _by_point(snapshot, points, rules.grace, now)
        return Decision(snapshot.id, True, f"tier {snapshot.id.tier} has no retention in the policy")

    return [decision(snapshot) for snapshot in ordered]


def _newest(snapshots: list[Snapshot]) -> set[RestorePointId]:
    """The newest by id, from which the next sync goes on, and by each clock: the host's may set all but the store's."""
    orders: tuple[Callable[[Snapshot], tuple[datetime, RestorePointId]], ...] = (
        lambda snapshot: (snapshot.id.opened_at, snapshot.id),
        lambda snapshot: (snapshot.taken_at, snapshot.id),
        lambda snapshot: (snapshot.taken_at_least, snapshot.id),
        lambda snapshot: (snapshot.stored_at, snapshot.id),
    )
    return {max(snapshots, key=order).id for order in orders} if snapshots else set()


def _unconditional(snapshot: Snapshot, points: PointsLeft, newest: Collection[RestorePointId]) -> str | None:
    if snapshot.id in points.held:
        return "its restore point is held"
    if snapshot.id in points.committed:
        return "belongs to a restore point"
    if snapshot.id in newest:
        return "newest media snapshot of the environment"
    if not snapshot.is_trusted:
        return "its signature or place is wrong: left for a person to look at"
    return None


def _by_age(snapshot: Snapshot, keep: Duration | None, now: datetime) -> Decision:
    if keep is None:
        return Decision(snapshot.id, True, f"tier {MEDIA_TIER} has no retention in the policy")
    if snapshot.taken_at >= keep.before(now):
        return Decision(snapshot.id, True, f"within {keep} of tier {MEDIA_TIER}")
    return Decision(snapshot.id, False, f"older than {keep} of tier {MEDIA_TIER}")


def _by_point(snapshot: Snapshot, points: PointsLeft, grace: Duration, now: datetime) -> Decision:
    """A snapshot that was taken for a restore point which does not exist: not yet, or no more."""
    if snapshot.id in points.unfinished or max(snapshot.taken_at, snapshot.stored_at) >= grace.before(now):
        return Decision(snapshot.id, True, "its restore point may be under way")
    return Decision(snapshot.id, False, "its restore point does not exist any more")


def expendable_shards(
    unnamed: Mapping[str, datetime], *, freed: Collection[str], grace: Duration, now: datetime
) -> dict[str, str]:
    """Which of the shards that no snapshot names may go, each with its reason.

    ``unnamed`` maps them to when the store received them. Those that a snapshot named which has just been deleted
    (``freed``) go at once; a loose one may belong to a sync under way, and waits for the grace time.
    """
    horizon = grace.before(now)
    found = {}
    for shard, stored_at in unnamed.items():
        if shard in freed:
            found[shard] = "no media snapshot needs it any more"
        elif stored_at < horizon:
            found[shard] = f"of no media snapshot, older than {grace}"
    return found


def expendable_checks(checks: Iterable[RestorePointId], now: datetime) -> list[RestorePointId]:
    """Which records of media checks may go, oldest first: neither among the newest, nor young."""
    horizon = CHECKS_KEPT_FOR.before(now)
    return [check for check in sorted(set(checks))[:-CHECKS_KEPT] if check.opened_at < horizon]


def _by_id(snapshot: Snapshot) -> RestorePointId:
    return snapshot.id

"""Deletes the media that retention let go, in an order that neither a sync beside it nor a kill makes harmful.

A shard goes only in a run that found no unfinished sync, neither when it began to look nor right before it deletes,
and that saw no snapshot come in between. So whoever names a shard, or may soon, has been seen.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import datetime

from holdfast.audit import record_deletions
from holdfast.environment import Environment
from holdfast.expire.locks import Locks
from holdfast.expire.media_report import MediaDeletion, MediaReport
from holdfast.expire.media_state import (
    MANIFEST_ENDING,
    MediaState,
    Objects,
    list_checks,
    list_drafts,
    list_snapshots,
    read_media,
)
from holdfast.policy.model import DUMP_TIERS, EnvironmentPolicy
from holdfast.retention import Decision
from holdfast.retention.media import (
    CHECKS_KEPT,
    CHECKS_KEPT_FOR,
    MediaRules,
    PointsLeft,
    decide_snapshots,
    expendable_checks,
    expendable_shards,
)
from holdfast.retention.orphans import is_orphan
from holdfast.values.duration import Duration
from holdfast.values.ids import RestorePointId
from holdfast.values.keys import MEDIA_OPEN


def expire_media(
    environment: Environment, points: PointsLeft, *, now: datetime, dry_run: bool, locks: Locks
) -> MediaReport:
    """Delete expired media snapshots, shards that nobody needs, what dead syncs left, and old records of checks.

    ``points``: the restore points as they are once theirs were expired.
    """
    expiry = _Expiry(environment, now, dry_run, locks)
    state = read_media(environment)
    drafts = expiry.drafts(state)
    decisions, snapshots = expiry.snapshots(state, points)
    come = [] if dry_run else _come_since(environment, state)
    remnants = expiry.remnants(state, {*state.drafts, *come})
    shards, shards_left = expiry.shards(state, {deletion.id for deletion in snapshots}, come)
    return MediaReport(
        kept=tuple(decision for decision in decisions if decision.keep),
        snapshots=tuple(snapshots),
        shards=tuple(shards),
        remnants=(*drafts, *remnants),
        checks=tuple(expiry.checks()),
        shards_left=shards_left,
        locked=expiry.locked,
    )


class _Expiry:
    """One run; ``locked`` counts what would have gone if the store did not lock it."""

    def __init__(self, environment: Environment, now: datetime, dry_run: bool, locks: Locks) -> None:
        self._environment = environment
        self._grace = environment.policy.orphan_grace
        self._now = now
        self._dry_run = dry_run
        self._locks = locks
        self.locked = 0

    def drafts(self, state: MediaState) -> list[MediaDeletion]:
        """Remove what syncs left that have committed, or that are dead."""
        finished = [id for id in state.drafts if id not in state.unfinished]
        dead = self._dead(state, {id: state.drafts[id] for id in state.unfinished})
        if dead and not self._dry_run:
            # A rerun may have gone on with one since.
            fresh = list_drafts(self._environment)
            dead = self._dead(state, {id: fresh[id] for id in dead if id in fresh})
        reasons = dict.fromkeys(finished, "left by a sync that has committed")
        reasons |= dict.fromkeys(dead, f"unfinished sync, older than {self._grace}")
        due = {str(id): (state.drafts[id], reason) for id, reason in reasons.items()}
        return self._removed("remnants of media syncs", due)

    def snapshots(self, state: MediaState, points: PointsLeft) -> tuple[list[Decision], list[MediaDeletion]]:
        """Decide on every snapshot, and delete those that go."""
        rules = MediaRules(_keep(self._environment.policy), DUMP_TIERS, self._grace)
        facts = (found.facts for found in state.snapshots.values())
        decisions = [self._checked(state, each) for each in decide_snapshots(facts, points, rules, self._now)]
        self._record("media snapshots", {str(each.id): each.reason for each in decisions if not each.keep})
        deletions = [
            self._remove(str(decision.id), state.snapshots[decision.id].objects, decision.reason)
            for decision in decisions
            if not decision.keep
        ]
        return decisions, deletions

    def remnants(self, state: MediaState, busy: Collection[RestorePointId]) -> list[MediaDeletion]:
        """Remove what is left of snapshots without a manifest, unless a sync may yet write it."""
        idle = {id: objects for id, objects in state.remnants.items() if id not in busy}
        reason = f"remnant of a media snapshot, older than {self._grace}"
        due = {str(id): (idle[id], reason) for id in self._dead(state, idle)}
        return self._removed("remnants of media snapshots", due)

    def shards(
        self, state: MediaState, deleted: Collection[str], come: Collection[RestorePointId]
    ) -> tuple[list[MediaDeletion], str | None]:
        """Remove the shards that no snapshot names any more, or say why they must wait."""
        standing = {s for id, found in state.snapshots.items() if str(id) not in deleted for s in found.shards}
        freed = {s for id, found in state.snapshots.items() if str(id) in deleted for s in found.shards}
        unnamed = {shard: objects for shard, objects in state.shards.items() if shard not in standing}
        stored_at = {
            shard: max(stored.modified_at for stored in objects.values()) for shard, objects in unnamed.items()
        }
        due = expendable_shards(stored_at, freed=freed, grace=self._grace, now=self._now)
        obstacle = _obstacle(state, come)
        if obstacle is not None:
            return [], obstacle if due or state.unreadable else None
        return self._removed("shards", {shard: (unnamed[shard], reason) for shard, reason in due.items()}), None

    def checks(self) -> list[MediaDeletion]:
        """Remove old records of media checks."""
        found = list_checks(self._environment)
        reason = f"older than {CHECKS_KEPT_FOR}, and {CHECKS_KEPT} newer ones stand"
        due = {str(id): (found[id], reason) for id in expendable_checks(found, self._now)}
        return self._removed("records of media checks", due)

    def _dead(self, state: MediaState, found: Mapping[RestorePointId, Objects]) -> list[RestorePointId]:
        """Those whose sync will not go on: of objects long unchanged, and a later snapshot was committed."""
        newest = max((id for id, snapshot in state.snapshots.items() if snapshot.facts.is_trusted), default=None)
        return [
            id
            for id, objects in sorted(found.items())
            if is_orphan(
                id,
                [stored.modified_at for stored in objects.values()],
                newest_committed=newest,
                grace=self._grace,
                now=self._now,
            )
        ]

    def _checked(self, state: MediaState, decision: Decision) -> Decision:
        """The decision, turned where the store locks the snapshot, or something of its restore point has come since."""
        if decision.keep:
            return decision
        reason = self._locks.reason(stored.key for stored in state.snapshots[decision.id].objects.values())
        if reason is None and not self._dry_run:
            point = self._environment.catalog.entry(decision.id)
            reason = "its restore point came while expire ran" if point.objects else None
        return decision if reason is None else Decision(decision.id, True, reason)

    def _removed(self, kind: str, due: Mapping[str, tuple[Objects, str]]) -> list[MediaDeletion]:
        """Remove things by name, each with its reason, as far as the store does not lock them."""
        free = {
            name: each
            for name, each in due.items()
            if self._locks.reason(stored.key for stored in each[0].values()) is None
        }
        self.locked += len(due) - len(free)
        self._record(kind, {name: reason for name, (_, reason) in free.items()})
        return [self._remove(name, objects, reason) for name, (objects, reason) in free.items()]

    def _record(self, kind: str, going: Mapping[str, str]) -> None:
        record_deletions(self._environment, kind, going.items(), dry_run=self._dry_run)

    def _remove(self, name: str, objects: Objects, reason: str) -> MediaDeletion:
        if not self._dry_run:
            for ending in sorted(objects, key=_deletion_rank):
                self._environment.store.delete(objects[ending].key)
        return MediaDeletion(name, reason, sum(stored.size_bytes for stored in objects.values()))


def _deletion_rank(name: str) -> tuple[int, str]:
    """A manifest goes first: from then on nothing stands half. A draft stands until the last of it is gone."""
    return {MANIFEST_ENDING: 0, MEDIA_OPEN: 2}.get(name, 1), name


def _keep(policy: EnvironmentPolicy) -> Duration | None:
    """The media tier's span, else that of the nightly tier; None keeps for ever, as a tier without any rule does."""
    media, nightly = policy.tiers.get("media"), policy.tiers.get("nightly")
    if media is None or media.keep is not None or nightly is None:
        return None if media is None else media.keep
    return nightly.keep


def _come_since(environment: Environment, state: MediaState) -> list[RestorePointId]:
    """Syncs that stand now, and snapshots that ``state`` does not know.

    Drafts are listed first: a sync that commits in between is seen as a snapshot.
    """
    drafts = list_drafts(environment)
    listed = list_snapshots(environment)
    new = (id for id, objects in listed.items() if MANIFEST_ENDING in objects and id not in state.snapshots)
    return [*(id for id, objects in drafts.items() if MEDIA_OPEN in objects), *new]


def _obstacle(state: MediaState, come: Collection[RestorePointId]) -> str | None:
    """Why no shard at all may be deleted now."""
    if state.unreadable:
        return f"media snapshot {state.unreadable[0]} cannot be trusted, so what it needs is not known"
    if state.running:
        return f"sync {state.running[0]} had not finished when expire began"
    return f"sync {next(iter(come))} came while expire ran" if come else None

"""Deletes what retention let go; the order of deletions keeps every half-done expiry harmless."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import asdict, dataclass, field
from datetime import datetime

from holdfast.audit import record_deletions
from holdfast.catalog import Entry
from holdfast.catalog.restore_checks import checks_of, genuine_restore_check
from holdfast.environment import Environment
from holdfast.expire.base_backups import BaseBackupsReport, expire_base_backups
from holdfast.expire.deletion import Deletion
from holdfast.expire.evidence import EvidenceReport, expire_evidence
from holdfast.expire.exports import ExportsReport, expire_exports
from holdfast.expire.locks import Locks
from holdfast.expire.media import expire_media
from holdfast.expire.media_report import MediaReport
from holdfast.expire.points import read_points
from holdfast.expire.wal import coverage_of, expire_wal
from holdfast.expire.wal_report import WalReport
from holdfast.expire.wal_state import read_wal_state
from holdfast.progress import Progress, Silent
from holdfast.retention import Decision, decide
from holdfast.retention.media import PointsLeft
from holdfast.retention.orphans import is_orphan
from holdfast.values import keys
from holdfast.values.ids import RestorePointId

_SILENT = Silent()
_DISPUTED = "a record of its restore check cannot be trusted: left for a person to look at"


@dataclass(frozen=True, slots=True)
class ExpireReport:
    """What expire did; ``kept`` carries the reason for every restore point that stays."""

    now: datetime
    is_dry_run: bool
    kept: tuple[Decision, ...]
    deleted: tuple[Deletion, ...]
    media: MediaReport = field(default_factory=MediaReport)
    exports: ExportsReport = field(default_factory=ExportsReport)
    evidence: EvidenceReport = field(default_factory=EvidenceReport)
    base_backups: BaseBackupsReport = field(default_factory=BaseBackupsReport)
    wal: WalReport = field(default_factory=WalReport)

    @property
    def freed_bytes(self) -> int:
        """Stored bytes of everything deleted."""
        others = (self.media, self.exports, self.evidence, self.base_backups, self.wal)
        return sum(deletion.bytes for deletion in self.deleted) + sum(each.freed_bytes for each in others)

    def as_json(self) -> dict[str, object]:
        """The report as an object of plain values."""
        return {
            "now": self.now.isoformat(),
            "dry_run": self.is_dry_run,
            "kept": [{"id": str(decision.id), "reason": decision.reason} for decision in self.kept],
            "deleted": [asdict(deletion) for deletion in self.deleted],
            "media": self.media.as_json(),
            "exports": self.exports.as_json(),
            "evidence": self.evidence.as_json(),
            "base_backups": self.base_backups.as_json(),
            "wal": self.wal.as_json(),
            "bytes_freed": self.freed_bytes,
        }


def expire(
    environment: Environment, *, now: datetime, dry_run: bool = False, progress: Progress = _SILENT
) -> ExpireReport:
    """Delete what is expired of the environment's restore points and all else, and remnants, or only tell which.

    ``now`` must be aware. Needs the key that checks manifests: without it nothing can be called
    verified, and so nothing may be deleted.
    """
    progress.begin("expire")
    entries = environment.catalog.entries()
    committed = {entry.id: entry for entry in entries if entry.is_committed}
    rules = {name: tier.keep for name, tier in environment.policy.tiers.items() if tier.keep is not None}
    due = decide(read_points(environment, committed.values()), rules, now)  # type: ignore[arg-type]
    locks = Locks(environment)
    decisions = [_unless_hindered(environment, locks, committed[decision.id], decision) for decision in due]
    going = [(str(decision.id), decision.reason) for decision in decisions if not decision.keep]
    record_deletions(environment, "restore points", going, dry_run=dry_run)
    deletions = [
        Deletion(str(decision.id), decision.reason, _size(committed[decision.id]), is_remnant=False)
        for decision in decisions
        if not decision.keep and (dry_run or _delete(environment, decision.id, _still_expendable))
    ]
    reason = f"unfinished backup, older than {environment.policy.orphan_grace}"
    orphans = [
        entry for entry in _orphans(environment, entries, now) if locks.reason(_keys(environment, entry)) is None
    ]
    remnants = [(str(entry.id), reason) for entry in orphans]
    record_deletions(environment, "unfinished restore points", remnants, dry_run=dry_run)
    deletions += [
        Deletion(str(entry.id), reason, _size(entry), is_remnant=True)
        for entry in orphans
        if dry_run or _delete(environment, entry.id, _still_uncommitted)
    ]
    gone = {deletion.id for deletion in deletions}
    kept = tuple(decision for decision in decisions if str(decision.id) not in gone)
    left = _left(entries, gone)
    media = expire_media(environment, left, now=now, dry_run=dry_run, locks=locks)
    exports = expire_exports(environment, max(committed, default=None), now=now, dry_run=dry_run, locks=locks)
    evidence = expire_evidence(environment, left.committed, now=now, dry_run=dry_run, locks=locks)
    base_backups, wal = _expire_wal(environment, now=now, dry_run=dry_run, locks=locks)
    others = "".join(each.summary for each in (media, exports, evidence, base_backups, wal))
    progress.end(f"{len(deletions)} {'to delete' if dry_run else 'deleted'}, {len(kept)} kept{others}")
    return ExpireReport(now, dry_run, kept, tuple(deletions), media, exports, evidence, base_backups, wal)


def _expire_wal(
    environment: Environment, *, now: datetime, dry_run: bool, locks: Locks
) -> tuple[BaseBackupsReport, WalReport]:
    """Base backups first: which WAL is needed shows in those that are left."""
    state = read_wal_state(environment)
    if state.is_empty:
        return BaseBackupsReport(), WalReport()
    before = coverage_of(environment)
    state = state.confirmed_by(before)
    base_backups = expire_base_backups(environment, state, now=now, dry_run=dry_run, locks=locks)
    wal = expire_wal(environment, state, base_backups, before, now=now, dry_run=dry_run, locks=locks)
    return base_backups, wal


def _left(entries: list[Entry], gone: Collection[str]) -> PointsLeft:
    """What media retention must know of restore points, apart from those that are deleted."""
    standing = [entry for entry in entries if str(entry.id) not in gone]
    return PointsLeft(
        committed=frozenset(entry.id for entry in standing if entry.is_committed),
        held=frozenset(entry.id for entry in standing if entry.is_held),
        unfinished=frozenset(entry.id for entry in standing if not entry.is_committed),
    )


def _unless_hindered(environment: Environment, locks: Locks, entry: Entry, decision: Decision) -> Decision:
    """The decision, turned where the store would only hide the objects instead of deleting them, or a record is forged.

    A record that cannot be trusted may once have said that this is the verified one.
    """
    if decision.keep:
        return decision
    reason = locks.reason(_keys(environment, entry))
    if reason is None and checks_of(entry):
        _, is_disputed = genuine_restore_check(environment.catalog, entry, environment.verifier())
        reason = _DISPUTED if is_disputed else None
    return decision if reason is None else Decision(decision.id, True, reason)


def _keys(environment: Environment, entry: Entry) -> list[str]:
    return [environment.keys.restore_point(entry.id) + name for name in entry.objects]


def _orphans(environment: Environment, entries: list[Entry], now: datetime) -> list[Entry]:
    newest = max((entry.id for entry in entries if entry.is_committed), default=None)
    return [
        entry
        for entry in entries
        if not entry.is_committed
        and is_orphan(
            entry.id,
            [stored.modified_at for stored in entry.objects.values()],
            newest_committed=newest,
            grace=environment.policy.orphan_grace,
            now=now,
        )
    ]


def _delete(environment: Environment, id: RestorePointId, is_due: Callable[[Entry], bool]) -> bool:
    """Delete one prefix, looked at afresh: a hold or a manifest may have come since the listing."""
    entry = environment.catalog.entry(id)
    if not is_due(entry):
        return False
    for name in sorted(entry.objects, key=_deletion_rank):
        environment.store.delete(environment.keys.restore_point(id) + name)
    return True


def _deletion_rank(name: str) -> tuple[int, str]:
    """The manifest goes first: from then on the restore point does not exist, however the rest ends."""
    return {keys.MANIFEST: 0, keys.SIGNATURE: 2}.get(name, 1), name


def _still_expendable(entry: Entry) -> bool:
    return entry.is_committed and not entry.is_held


def _still_uncommitted(entry: Entry) -> bool:
    return not entry.is_committed


def _size(entry: Entry) -> int:
    return sum(stored.size_bytes for stored in entry.objects.values())

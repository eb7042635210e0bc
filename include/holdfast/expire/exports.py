"""Deletes the compliance exports that their own rule lets go, and what killed backups left of unfinished ones."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from holdfast.audit import record_deletions
from holdfast.catalog import Entry
from holdfast.environment import Environment
from holdfast.errors import PermanentError
from holdfast.expire.deletion import Deletion, DeletionReport
from holdfast.expire.locks import Locks
from holdfast.retention import Decision, Point
from holdfast.retention.exports import decide_exports
from holdfast.retention.orphans import is_orphan
from holdfast.values import keys
from holdfast.values.ids import RestorePointId


@dataclass(frozen=True, slots=True)
class ExportsReport(DeletionReport):
    """What expire did with exports; ``kept`` carries the reason for every one that stays."""

    kind = "exports"


def expire_exports(
    environment: Environment, newest_point: RestorePointId | None, *, now: datetime, dry_run: bool, locks: Locks
) -> ExportsReport:
    """Delete expired exports and orphaned remnants, or only tell which; ``newest_point``: of the committed ones."""
    entries = environment.export_catalog.entries()
    committed = {entry.id: entry for entry in entries if entry.is_committed}
    section = environment.policy.compliance_export
    points = [_point(environment, entry) for entry in committed.values()]
    kept: list[Decision] = []
    going: list[tuple[Entry, Deletion]] = []
    for decision in decide_exports(points, section.keep if section is not None else None, now):
        entry = committed[decision.id]
        locked = None if decision.keep else locks.reason(_keys(environment, entry))
        if decision.keep or locked is not None:
            kept.append(decision if locked is None else Decision(decision.id, True, locked))
        else:
            going.append((entry, Deletion(str(entry.id), decision.reason, _size(entry), is_remnant=False)))
    grace = environment.policy.orphan_grace
    for entry in entries:
        written_at = [stored.modified_at for stored in entry.objects.values()]
        if entry.is_committed or not is_orphan(
            entry.id, written_at, newest_committed=newest_point, grace=grace, now=now
        ):
            continue
        if locks.reason(_keys(environment, entry)) is None:
            going.append((entry, Deletion(str(entry.id), f"unfinished, older than {grace}", _size(entry), True)))
    record_deletions(environment, "exports", [(each.id, each.reason) for _, each in going], dry_run=dry_run)
    deleted = [deletion for entry, deletion in going if dry_run or _delete(environment, entry)]
    return ExportsReport(tuple(kept), tuple(deleted))


def _point(environment: Environment, entry: Entry) -> Point:
    """What retention must know of an export."""
    try:
        manifest = environment.export_catalog.manifest(entry.id, environment.verifier())
    except PermanentError:
        return Point(entry.id, entry.id.opened_at, is_held=False, is_trusted=False, is_whole=False)
    is_whole = not entry.missing(manifest)
    stored_at = entry.objects[keys.MANIFEST].modified_at
    return Point(entry.id, manifest.snapshot_at, False, is_trusted=True, is_whole=is_whole, stored_at=stored_at)


def _delete(environment: Environment, entry: Entry) -> bool:
    """Looked at afresh, so that one whose manifest has come since the listing stays; the manifest goes first."""
    current = environment.export_catalog.entry(entry.id)
    if current.is_committed != entry.is_committed:
        return False
    for name in sorted(current.objects, key=lambda name: ({keys.MANIFEST: 0, keys.SIGNATURE: 2}.get(name, 1), name)):
        environment.store.delete(environment.keys.export(entry.id, name))
    return True


def _keys(environment: Environment, entry: Entry) -> list[str]:
    return [environment.keys.export(entry.id, name) for name in entry.objects]


def _size(entry: Entry) -> int:
    return sum(stored.size_bytes for stored in entry.objects.values())

"""Deletes the base backups that retention lets go, each before what it builds on, and what killed ones left."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from holdfast.audit import record_deletions
from holdfast.catalog import Entry
from holdfast.environment import Environment
from holdfast.expire.deletion import Deletion, DeletionReport
from holdfast.expire.locks import Locks
from holdfast.expire.wal_state import WalState
from holdfast.retention import Decision
from holdfast.retention.base_backups import BaseBackup, BaseBackupRules, decide_base_backups
from holdfast.retention.orphans import is_orphan
from holdfast.retention.wal import last_received
from holdfast.values import keys
from holdfast.values.ids import RestorePointId

_CHANGED = "it was held or taken away while expire ran"


@dataclass(frozen=True, slots=True)
class BaseBackupsReport(DeletionReport):
    """What expire did with base backups; ``kept`` carries the reason for every one that stays."""

    kind = "base backups"


def rules_of(environment: Environment, state: WalState) -> BaseBackupRules:
    """What the policy says, and when WAL of each cluster came last."""
    tiers = environment.policy.tiers
    base, wal = tiers.get("base_backup"), tiers.get("wal")
    received = {system: last_received(pieces) for system, pieces in state.pieces.items()}
    return BaseBackupRules(
        None if base is None else base.keep,
        None if wal is None else wal.keep,
        environment.policy.database.system_identifier,
        {system: moment for system, moment in received.items() if moment is not None},
    )


def expire_base_backups(
    environment: Environment, state: WalState, *, now: datetime, dry_run: bool, locks: Locks
) -> BaseBackupsReport:
    """Delete expired base backups and orphaned remnants of unfinished ones, or only tell which.

    An incremental one goes before what it builds on, so that a run that is cut off leaves none without its parent.
    """
    rules, backups = rules_of(environment, state), {backup.id: backup for backup in state.backups}
    due = [decision.id for decision in decide_base_backups(backups.values(), rules, now) if not decision.keep]
    hindered = {id: reason for id in due if (reason := locks.reason(_keys(environment, state.entries[id]))) is not None}
    decisions = decide_base_backups(backups.values(), rules, now, hindered)
    kept: list[Decision] = [decision for decision in decisions if decision.keep]
    deleted: list[Deletion] = []
    spared: dict[RestorePointId, str] = {}
    going = [decision for decision in decisions if not decision.keep]
    record_deletions(environment, "base backups", [(str(each.id), each.reason) for each in going], dry_run=dry_run)
    for decision in sorted(going, key=lambda each: (len(backups[each.id].chain), each.id), reverse=True):
        if decision.id not in spared and not dry_run and not _delete(environment, decision.id, is_committed=True):
            spared |= _with_parents(backups[decision.id])
        if decision.id in spared:
            kept.append(Decision(decision.id, True, spared[decision.id]))
        else:
            size = _size(state.entries[decision.id])
            deleted.append(Deletion(str(decision.id), decision.reason, size, is_remnant=False))
    deleted += _remnants(environment, state, now=now, dry_run=dry_run, locks=locks)
    return BaseBackupsReport(tuple(sorted(kept, key=lambda each: each.id)), tuple(deleted))


def unfinished(environment: Environment, state: WalState, now: datetime) -> tuple[list[Entry], list[Entry]]:
    """Those without a manifest: (may be under way, will not finish any more)."""
    newest = max((entry.id for entry in state.entries.values() if entry.is_committed), default=None)
    grace = environment.policy.orphan_grace
    found: tuple[list[Entry], list[Entry]] = ([], [])
    for entry in state.entries.values():
        if not entry.is_committed:
            written_at = [stored.modified_at for stored in entry.objects.values()]
            found[is_orphan(entry.id, written_at, newest_committed=newest, grace=grace, now=now)].append(entry)
    return found


def _remnants(
    environment: Environment, state: WalState, *, now: datetime, dry_run: bool, locks: Locks
) -> list[Deletion]:
    reason = f"unfinished base backup, older than {environment.policy.orphan_grace}"
    dead = [
        entry for entry in unfinished(environment, state, now)[True] if locks.reason(_keys(environment, entry)) is None
    ]
    gone = [(str(entry.id), reason) for entry in dead]
    record_deletions(environment, "unfinished base backups", gone, dry_run=dry_run)
    return [
        Deletion(str(entry.id), reason, _size(entry), is_remnant=True)
        for entry in dead
        if dry_run or _delete(environment, entry.id, is_committed=False)
    ]


def _with_parents(backup: BaseBackup) -> dict[RestorePointId, str]:
    return {backup.id: _CHANGED} | dict.fromkeys(backup.chain, f"the incremental base backup {backup.id} builds on it")


def _delete(environment: Environment, id: RestorePointId, *, is_committed: bool) -> bool:
    """Delete one, looked at afresh; False where a hold or a manifest has come since the listing.

    The manifest goes first: from then on the base backup does not exist, however the rest ends.
    """
    entry = environment.base_catalog.entry(id)
    if entry.is_committed != is_committed or entry.is_held:
        return False
    for name in sorted(entry.objects, key=lambda name: ({keys.MANIFEST: 0, keys.SIGNATURE: 2}.get(name, 1), name)):
        environment.store.delete(environment.keys.base_backup(id, name))
    return True


def _keys(environment: Environment, entry: Entry) -> list[str]:
    return [environment.keys.base_backup(entry.id, name) for name in entry.objects]


def _size(entry: Entry) -> int:
    return sum(stored.size_bytes for stored in entry.objects.values())

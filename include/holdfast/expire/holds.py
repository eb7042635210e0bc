"""Holds: exempt a restore point or a base backup from expiry until someone lifts it."""

from __future__ import annotations

from datetime import datetime

from holdfast.audit import Act, append
from holdfast.catalog import Entry
from holdfast.environment import Environment
from holdfast.errors import ObjectExists, ObjectMissing
from holdfast.manifest.model import Record
from holdfast.values import keys
from holdfast.values.ids import RestorePointId


class Hold(Record):
    """Since when a restore point or base backup is held, by whom and why."""

    held_at: datetime
    by: str
    reason: str


def add_hold(environment: Environment, id: RestorePointId, *, now: datetime, by: str, reason: str = "") -> bool:
    """Hold a restore point or base backup; False when it is held. Raises ObjectMissing where it does not exist.

    The audit trail is told first.
    """
    entry = _entry(environment, id)
    if not entry.is_committed:
        command = "pitr window" if _is_base_backup(id) else "list"
        kind = "base backup" if _is_base_backup(id) else "restore point"
        raise ObjectMissing(
            f"{kind} {environment.title}/{id}: not found in {environment.store.url}",
            hint=f"`holdfast {command}` shows the {kind}s that exist.",
        )
    if entry.is_held:
        return False
    append(environment, Act("held", str(id), {"by": by, "reason": reason}))
    document = Hold(held_at=now, by=by, reason=reason).model_dump_json(indent=2).encode() + b"\n"
    try:
        environment.store.put(_key(environment, id), [document])
    except ObjectExists:
        return False
    return True


def remove_hold(environment: Environment, id: RestorePointId) -> bool:
    """Lift the hold; False when there was none."""
    if not _entry(environment, id).is_held:
        return False
    append(environment, Act("released", str(id)))
    environment.store.delete(_key(environment, id))
    return True


def _is_base_backup(id: RestorePointId) -> bool:
    return id.tier == "base_backup"


def _entry(environment: Environment, id: RestorePointId) -> Entry:
    return environment.base_catalog.entry(id) if _is_base_backup(id) else environment.catalog.entry(id)


def _key(environment: Environment, id: RestorePointId) -> str:
    return environment.keys.base_backup(id, keys.HOLD) if _is_base_backup(id) else environment.keys.hold(id)

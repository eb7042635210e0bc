"""Holds: exempt a restore point from expiry until someone lifts it."""

from __future__ import annotations

from datetime import datetime

from holdfast.environment import Environment
from holdfast.errors import ObjectExists, ObjectMissing
from holdfast.manifest.model import Record
from holdfast.values.ids import RestorePointId


class Hold(Record):
    """Since when a restore point is held, by whom and why."""

    held_at: datetime
    by: str
    reason: str


def add_hold(environment: Environment, id: RestorePointId, *, now: datetime, by: str, reason: str = "") -> bool:
    """Hold a restore point; False when it is held already. Raises ObjectMissing where it does not exist."""
    if not environment.catalog.entry(id).is_committed:
        raise ObjectMissing(
            f"restore point {environment.title}/{id}: not found in {environment.store.url}",
            hint="`holdfast list` shows the restore points that exist.",
        )
    document = Hold(held_at=now, by=by, reason=reason).model_dump_json(indent=2).encode() + b"\n"
    try:
        environment.store.put(environment.keys.hold(id), [document])
    except ObjectExists:
        return False
    return True


def remove_hold(environment: Environment, id: RestorePointId) -> bool:
    """Lift the hold; False when there was none."""
    entry = environment.catalog.entry(id)
    if not entry.is_held:
        return False
    environment.store.delete(environment.keys.hold(id))
    return True

"""What lies outside the points: secrets that are due for rotation, and how the store itself is set up."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

from holdfast.errors import HoldfastError, InventoryError
from holdfast.guard import check_store
from holdfast.inventory import load_inventory
from holdfast.values.ids import RestorePointId
from holdfast.watch.facts import EnvironmentFacts, GuardFacts, RotationFacts
from holdfast.watch.reading.places import Told
from holdfast.watch.reading.round import Reading

GUARD_EVERY = timedelta(hours=1)


def read_rotations(reading: Reading, newest: Iterable[tuple[RestorePointId, Told]]) -> tuple[RotationFacts, ...]:
    """The variables that are due today by the policy's inventory; where it cannot be read, by the newest manifest."""
    section = reading.environment.policy.inventory
    if section is None:
        return ()
    today = reading.now.astimezone(ZoneInfo(reading.environment.policy.timezone)).date()
    try:
        inventory = load_inventory(Path(section.file))
    except InventoryError as error:
        reading.notes.append(error.message)
        return _as_recorded(newest, ZoneInfo(reading.environment.policy.timezone))
    return tuple(
        RotationFacts(name=one.name, rotate_by=one.rotate_by, owner=one.owner, rotated_by=one.rotated_by)
        for one in inventory.variables
        if one.rotate_by is not None and one.rotate_by <= today
    )


def _as_recorded(newest: Iterable[tuple[RestorePointId, Told]], timezone: ZoneInfo) -> tuple[RotationFacts, ...]:
    """What waited for rotation when the newest restore point was taken: its last day was the day before, or earlier."""
    last = max(newest, key=lambda found: found[0], default=None)
    if last is None:
        return ()
    id, told = last
    last_day = id.opened_at.astimezone(timezone).date() - timedelta(days=1)
    return tuple(RotationFacts(name=name, rotate_by=last_day, owner="", rotated_by=()) for name in told.overdue)


def read_guard(reading: Reading) -> tuple[GuardFacts, ...]:
    """What the guard finds failed; hints alone are for people who ask."""
    try:
        checks = check_store(reading.environment)
    except HoldfastError as error:
        return (GuardFacts(name="store", is_blocking=False, text=error.message, hint=error.hint),)
    return tuple(
        GuardFacts(name=check.name, is_blocking=check.is_blocking, text=check.text, hint=check.hint)
        for check in checks
        if check.verdict == "failed" or check.is_blocking
    )


def is_guard_due(reading: Reading, known: EnvironmentFacts | None) -> bool:
    """Settings change seldom, and asking for them takes many requests."""
    if known is None or known.guard_at is None:
        return True
    return not timedelta(0) <= reading.now - known.guard_at < GUARD_EVERY

"""The way back after a migration that has failed: the restore of the snapshot behind it, opened in the same run."""

from __future__ import annotations

from holdfast.drill.records import read_step
from holdfast.environment import Environment
from holdfast.errors import UsageError
from holdfast.operation.migration.running import has_begun
from holdfast.operation.opening import open_operation
from holdfast.operation.records import find_operation
from holdfast.operation.steps import MIGRATE
from holdfast.values.ids import RestorePointId

_FAILED = "failed migration"


def open_return(environment: Environment, migration: RestorePointId) -> RestorePointId | None:
    """Open the restore of the snapshot behind ``migration``; None where its command has not begun to run.

    To be called before the migration's evidence is recorded; afterwards it finds what it opened then. Raises as
    ``open_operation``, and UsageError where the migration is none of ours.
    """
    standing = RestorePointId(migration.opened_at, "restore", migration.suffix)
    if find_operation(environment, standing) is not None:
        return standing
    opened = find_operation(environment, migration)
    if opened is None or not has_begun(environment, migration):
        return None
    if opened.kind != "guarded_migration":
        raise UsageError(f"operation {environment.title}/{migration}: is a {opened.kind}, not a guarded migration")
    step = read_step(environment, migration, MIGRATE)
    failed = step.step.facts.get(_FAILED) if step is not None else None
    return open_operation(
        environment,
        kind="restore",
        opened_at=opened.opened_at,
        origin=opened.origin,
        restore_point=opened.point,
        request={
            "what": "database",
            "target": "live",
            "because": str(migration),
            "follow_up": True,
            "failed": str(failed) if failed is not None else None,
        },
        reason=opened.reason,
        requested_by=opened.requested_by,
        window=opened.window,
        approval="asked",
    )

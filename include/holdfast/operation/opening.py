"""Opens an operation on the live application: which restore point it goes back to, who asked for it and why."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Literal

from pydantic import JsonValue

from holdfast.drill.opening import newest_restore_point
from holdfast.environment import Environment
from holdfast.errors import ObjectMissing, UsageError
from holdfast.evidence import demand_unrecorded
from holdfast.evidence.objects import sha256
from holdfast.manifest.model import Manifest
from holdfast.operation.records import OperationKind, OperationOpen, Window, find_operation, write_operation
from holdfast.values.ids import RestorePointId

# Beyond these, times cannot be moved to UTC and back.
_FIRST_YEAR, _LAST_YEAR = 1970, 9000


def open_operation(
    environment: Environment,
    *,
    kind: OperationKind,
    opened_at: datetime,
    origin: str,
    restore_point: RestorePointId | None,
    request: Mapping[str, JsonValue],
    reason: str | None,
    requested_by: str | None,
    window: Window | None,
    approval: Literal["asked", "attested"],
) -> RestorePointId:
    """Name the operation and store what it is about; the newest restore point where none is given.

    The same ``origin`` names the same operation, and finds what was asked for first. Raises UsageError where it has
    ended or its window cannot be met, and ObjectMissing or SignatureError for a restore point that is not ours.
    """
    operation = RestorePointId.make(opened_at, kind, origin)
    demand_unrecorded(environment, operation, "operation")
    if find_operation(environment, operation) is not None:
        return operation
    _demand_window(environment, window)
    id = restore_point or newest_restore_point(environment)
    source = _source(environment, id, kind)
    opened = OperationOpen(
        id=str(operation),
        kind=kind,
        app=environment.app,
        environment=environment.name,
        restore_point=str(id),
        restore_point_taken_at=source.database.source.snapshot_at if source is not None else id.opened_at,
        manifest_sha256=sha256(source.encode()) if source is not None else "",
        source_version=source.database.source.server_version if source is not None else "",
        request=dict(request),
        reason=reason,
        requested_by=requested_by,
        origin=origin,
        approval=approval,
        window=window,
        opened_at=operation.opened_at,
    )
    write_operation(environment, opened)
    return operation


def _source(environment: Environment, id: RestorePointId, kind: OperationKind) -> Manifest | None:
    """The restore point's manifest; what was restored from it can be switched back though it has expired since."""
    try:
        return environment.catalog.manifest(id, environment.verifier())
    except ObjectMissing:
        if kind not in ("switch_back", "undo_rows"):
            raise
        return None


def _demand_window(environment: Environment, window: Window | None) -> None:
    if window is None:
        if environment.policy.restore.window == "required":
            raise UsageError(
                f"{environment.title}: policy.restore.window is required, but no change window was given",
                hint="Say from when to when it is allowed, with UTC offset, and the ticket that allows it.",
            )
        return
    if window.begins_at.tzinfo is None or window.ends_at.tzinfo is None:
        raise UsageError("change window: its times need a UTC offset, such as 2026-11-22T22:00+01:00")
    if not all(_FIRST_YEAR <= moment.year <= _LAST_YEAR for moment in (window.begins_at, window.ends_at)):
        raise UsageError(f"change window: its years must lie between {_FIRST_YEAR} and {_LAST_YEAR}")
    if window.ends_at <= window.begins_at:
        raise UsageError(f"change window: ends at {window.ends_at.isoformat()}, before it begins")
    if window.ends_at <= environment.clock():
        raise UsageError(f"change window: ended at {window.ends_at.isoformat()} already")

"""Opens a drill: which restore point is tried, by whom and why."""

from __future__ import annotations

from datetime import datetime

from holdfast.drill.records import Approval, DrillOpen, Media, find_open, write_open
from holdfast.environment import Environment
from holdfast.errors import UsageError
from holdfast.evidence import demand_unrecorded
from holdfast.evidence.objects import sha256
from holdfast.manifest.evidence import DrillKind
from holdfast.values.ids import RestorePointId


def open_drill(
    environment: Environment,
    *,
    kind: DrillKind,
    opened_at: datetime,
    origin: str,
    restore_point: RestorePointId | None,
    media: Media,
    reason: str | None,
    requested_by: str | None,
    approval: Approval | None = None,
) -> RestorePointId:
    """Name the drill and store what it is about; the newest restore point where none is given.

    The same ``origin`` names the same drill, and finds the restore point that was chosen first. ``approval`` is asked
    for by drills, not by restore checks, unless given. Raises UsageError where there is nothing to restore, and
    ObjectMissing or SignatureError for a restore point that is not there or not ours.
    """
    drill = RestorePointId.make(opened_at, kind, origin)
    demand_unrecorded(environment, drill, "drill")
    if find_open(environment, drill) is not None:
        return drill
    id = restore_point or newest_restore_point(environment)
    manifest = environment.catalog.manifest(id, environment.verifier())
    opened = DrillOpen(
        id=str(drill),
        kind=kind,
        app=environment.app,
        environment=environment.name,
        restore_point=str(id),
        restore_point_taken_at=manifest.database.source.snapshot_at,
        manifest_sha256=sha256(manifest.encode()),
        source_version=manifest.database.source.server_version,
        media=media if manifest.media is not None else "none",
        reason=reason,
        requested_by=requested_by,
        origin=origin,
        approval=approval or ("asked" if kind == "restore_drill" else "not asked"),
        opened_at=drill.opened_at,
    )
    write_open(environment, opened)
    return drill


def newest_restore_point(environment: Environment) -> RestorePointId:
    """The newest that is committed; raises UsageError where there is none."""
    committed = [entry.id for entry in environment.catalog.entries() if entry.is_committed]
    if not committed:
        raise UsageError(
            f"{environment.title}: there is no restore point to restore",
            hint="Take one first: `holdfast backup`, or trigger the environment's nightly DAG.",
        )
    return committed[-1]

"""Opens a drill that recovers to an instant: which one, from which base backup, and what must be found there."""

from __future__ import annotations

from contextlib import suppress
from datetime import datetime

from holdfast.catalog.windows import Coverage, Stretch, read_coverage
from holdfast.drill.pitr.instant import drawn_instant, timed
from holdfast.drill.pitr.marks import expected_marks
from holdfast.drill.records import Approval, DrillOpen, find_open, write_open
from holdfast.environment import Environment
from holdfast.errors import HoldfastError, UsageError
from holdfast.evidence import demand_unrecorded
from holdfast.evidence.objects import sha256
from holdfast.manifest.evidence import PITR_KINDS, DrillKind
from holdfast.manifest.pitr import PitrTried, PitrWindow
from holdfast.pitr.planning import RecoveryPlan, plan
from holdfast.pitr.target import Target as RecoveryTarget
from holdfast.postgres.conninfo import Target
from holdfast.values.ids import RestorePointId


def open_pitr_drill(
    environment: Environment,
    *,
    kind: DrillKind,
    opened_at: datetime,
    origin: str,
    to: datetime | None,
    reason: str | None,
    requested_by: str | None,
    approval: Approval | None = None,
) -> RestorePointId:
    """Name the drill and store what it is about; an instant drawn at random where none is given.

    The same ``origin`` names the same drill, and finds the instant that was chosen first. ``approval`` is asked for by
    drills, not by checks, unless given. Raises UsageError where the instant lies in no window or without an offset,
    and where there is none to be drawn.
    """
    if kind not in PITR_KINDS:
        raise UsageError(f"drill of kind {kind}: it restores a restore point, and recovers to no instant")
    drill = RestorePointId.make(opened_at, kind, origin)
    demand_unrecorded(environment, drill, "drill")
    if find_open(environment, drill) is not None:
        return drill
    tried, planned = _chosen(environment, f"{drill} {origin}", to)
    base = planned.base
    opened = DrillOpen(
        id=str(drill),
        kind=kind,
        app=environment.app,
        environment=environment.name,
        restore_point=base.id,
        restore_point_taken_at=base.finished_at,
        manifest_sha256=sha256(base.encode()),
        source_version=base.server_version,
        media="none",
        reason=reason,
        requested_by=requested_by,
        origin=origin,
        approval=approval or ("asked" if kind == "pitr_drill" else "not asked"),
        opened_at=drill.opened_at,
        pitr=tried,
    )
    write_open(environment, opened)
    return drill


def demand_offset(to: datetime) -> datetime:
    """The instant itself; raises UsageError where it has no UTC offset, for it is ambiguous then."""
    if to.tzinfo is None:
        raise UsageError(
            f"instant {to.isoformat()}: it has no UTC offset",
            hint="Write it with one, such as 2026-11-22T02:00:00+01:00.",
        )
    return to


def _chosen(environment: Environment, seed: str, to: datetime | None) -> tuple[PitrTried, RecoveryPlan]:
    wished = environment.policy.database.system_identifier
    if to is not None:
        demand_offset(to)
    coverage = read_coverage(environment.wal_catalog, environment.base_catalog, environment.verifier())
    # PostgreSQL knows instants to the microsecond.
    instant = to or drawn_instant(coverage, seed, environment.title, system_identifier=wished)
    planned = plan(coverage, RecoveryTarget("time", time=instant), system_identifier=wished)
    marks = expected_marks(environment, planned, instant)
    tried = PitrTried(
        instant=instant,
        is_drawn=to is None,
        database=_database(environment),
        system_identifier=planned.base.system_identifier,
        timeline=planned.timeline,
        base_backup=planned.base.id,
        base_finished_at=planned.base.finished_at,
        window=_window(coverage, planned),
        windows=tuple(map(_recorded, timed(coverage))),
        marker=marks.surely,
        next_marker=marks.too_late,
    )
    return tried, planned


def _window(coverage: Coverage, planned: RecoveryPlan) -> PitrWindow:
    """The one that the plan goes along, with what older base backups add to it."""
    own = planned.window
    for stretch in timed(coverage):
        if stretch.timeline == own.timeline and own.base_backup in stretch.base_backups:
            return _recorded(stretch)
    return PitrWindow(timeline=own.timeline, begins_at=own.begins_at, ends_at=own.ends_at)


def _recorded(stretch: Stretch) -> PitrWindow:
    return PitrWindow(timeline=stretch.timeline, begins_at=stretch.begins_at, ends_at=stretch.ends_at)


def _database(environment: Environment) -> str | None:
    """The application's, as the connection has it; a recovery host need not have the connection."""
    with suppress(HoldfastError):
        return Target.from_connection(environment.database()).database or None
    return None

"""The steps of operations at work: each is found by its name, and leaves what it did in the store."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress
from types import MappingProxyType
from typing import TYPE_CHECKING

from holdfast.drill.outcome import Outcome, blames_operation
from holdfast.drill.records import read_step, remove_step
from holdfast.environment import Environment
from holdfast.errors import HoldfastError
from holdfast.manifest.evidence import Step, TableRows
from holdfast.operation import steps
from holdfast.operation.deciding import examined, parsed, plan_of
from holdfast.operation.going import demand_as_planned, demand_go
from holdfast.operation.plans import Plan, find_plan, write_plan
from holdfast.operation.records import OperationOpen, read_operation
from holdfast.operation.switch.back import switch_database_back, switch_media_back
from holdfast.operation.switch.beside import remove_beside, restore_beside, restore_media
from holdfast.operation.switch.checking import check_live
from holdfast.operation.switch.switching import demand_proven, switch_database, switch_media
from holdfast.operation.taking import take_step
from holdfast.operation.telling import tell_change
from holdfast.progress import Progress, Silent
from holdfast.values.ids import RestorePointId

if TYPE_CHECKING:
    from holdfast.operation.rows.planning import Planned

_SILENT = Silent()
_LINES = 200
Work = Callable[[Environment, OperationOpen, Progress], Outcome]


def take_operation_step(
    environment: Environment,
    operation: RestorePointId,
    name: str,
    *,
    found: Planned | None = None,
    progress: Progress = _SILENT,
) -> Step | None:
    """Take one step; None where this operation has no such step. Raises TransientError where a task may try again.

    ``found`` are the rows that this very process has looked for when it planned, which takes most of the time.
    """
    opened = read_operation(environment, operation)
    if name not in steps.names_of_opened(opened, find_plan(environment, operation)):
        return None
    counted: list[TableRows] = []

    def work(reporter: Progress) -> Outcome:
        if name == steps.RESTORE_BESIDE:
            outcome, tables = _restore_beside(environment, opened, reporter)
            counted.extend(tables)
            return outcome
        if name == steps.APPLY:
            return _apply(environment, opened, reporter, found)
        return _WORKS[name](environment, opened, reporter)

    return take_step(
        environment,
        operation,
        name,
        steps.TITLES[name],
        work,
        progress,
        tables=lambda: tuple(counted),
        may_be_tried_again=name not in steps.PAST_RETURN and opened.approval == "asked",
    )


def outcome_of_plan(plan: Plan) -> Outcome:
    """A plan as a step found it: what hinders it is a finding, its text goes into the log."""
    notes = tuple([*plan.body.splitlines(), *plan.notes.splitlines()][:_LINES])
    return Outcome(tuple(map(blames_operation, plan.faults)), notes, {"plan": plan.sha256, **plan.facts})


def abandon(environment: Environment, operation: RestorePointId, *, goes_on: bool = False) -> str:
    """Remove what a failed operation has restored beside, unless it was switched to; says what could not be removed.

    ``goes_on``: it was interrupted, and who repeats it goes on with it, and so restores beside once more.
    """
    with suppress(HoldfastError):
        switched = read_step(environment, operation, steps.SWITCH)
        if switched is not None and switched.step.outcome == "passed":
            return ""
    try:
        opened = read_operation(environment, operation)
        if steps.RESTORE_BESIDE in steps.names_of_opened(opened):
            if goes_on:
                remove_step(environment, operation, steps.RESTORE_BESIDE)
            remove_beside(environment, opened)
    except HoldfastError as error:
        return f"What was restored beside may be left: {error.message}"
    return ""


def _plan(environment: Environment, opened: OperationOpen, progress: Progress) -> Outcome:
    plan = plan_of(environment, opened, is_restored=False, progress=progress)
    write_plan(environment, RestorePointId.parse(opened.id), plan)
    return outcome_of_plan(plan)


def _restore_beside(
    environment: Environment, opened: OperationOpen, progress: Progress
) -> tuple[Outcome, tuple[TableRows, ...]]:
    if environment.policy.restore.method == "clean":
        return Outcome(notes=("method clean: nothing is restored beside",)), ()
    operation = RestorePointId.parse(opened.id)
    demand_go(environment, operation, plan_of(environment, opened, is_restored=True, progress=progress))
    demand_proven(environment, opened)
    return restore_beside(environment, opened, progress)


def _migrate(environment: Environment, opened: OperationOpen, progress: Progress) -> Outcome:
    from holdfast.operation.migration import run_migration

    operation = RestorePointId.parse(opened.id)

    def demand(fresh: Plan) -> None:
        demand_as_planned(environment, operation, fresh)
        tell_change(environment, opened, steps.MIGRATE)

    return run_migration(environment, operation, demand=demand, progress=progress)


def _follow_up(environment: Environment, opened: OperationOpen, progress: Progress) -> Outcome:
    from holdfast.operation.migration import run_follow_up

    tell_change(environment, opened, steps.FOLLOW_UP)
    failed = opened.request.get("failed")
    return run_follow_up(environment, failed=str(failed) if failed is not None else None, progress=progress)


def _apply(environment: Environment, opened: OperationOpen, progress: Progress, found: Planned | None) -> Outcome:
    operation = RestorePointId.parse(opened.id)

    def demand(fresh: Plan) -> None:
        demand_go(environment, operation, examined(environment, opened.point, opened.request, fresh))
        tell_change(environment, opened, steps.APPLY)

    if opened.kind == "restore_tables":
        from holdfast.operation.tables import TablesRequest, apply_tables

        tables = parsed(opened.request, TablesRequest)
        return apply_tables(environment, operation, opened.point, tables, demand=demand, progress=progress)
    if opened.kind == "recover_rows":
        from holdfast.operation.rows import RowsRequest, apply_rows

        rows = parsed(opened.request, RowsRequest)
        return apply_rows(environment, operation, opened.point, rows, demand=demand, progress=progress, planned=found)
    from holdfast.operation.rows import apply_undo_rows

    of = RestorePointId.parse(str(opened.request.get("of", "")))
    return apply_undo_rows(environment, operation, of, demand=demand, progress=progress)


_WORKS: Mapping[str, Work] = MappingProxyType(
    {
        steps.PLAN: _plan,
        steps.RESTORE_MEDIA_BESIDE: restore_media,
        steps.SWITCH: switch_database,
        steps.SWITCH_MEDIA: switch_media,
        steps.SWITCH_BACK: switch_database_back,
        steps.SWITCH_MEDIA_BACK: switch_media_back,
        steps.CHECK_LIVE: check_live,
        steps.MIGRATE: _migrate,
        steps.FOLLOW_UP: _follow_up,
    }
)

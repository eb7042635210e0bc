"""Takes recovered rows back: those that are still as they were written, and that nothing has come to refer to."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from holdfast.drill.outcome import Outcome
from holdfast.environment import Environment
from holdfast.errors import UsageError
from holdfast.manifest.evidence import Fact
from holdfast.operation.plans import Plan
from holdfast.operation.rows.applying import is_standing
from holdfast.operation.rows.deciding import Change
from holdfast.operation.rows.deleting import delete_rows, tables_to_lock
from holdfast.operation.rows.entries import Entry
from holdfast.operation.rows.livesession import Live, opened_live
from holdfast.operation.rows.record import RowsRecord, find_record, read_rows, store_rows
from holdfast.operation.rows.texts import Row
from holdfast.operation.rows.triggers import Triggers, quiet, triggers_of
from holdfast.operation.rows.undo_body import undo_body
from holdfast.operation.rows.undo_deciding import Undoing, decide_undo
from holdfast.operation.rows.writing import lock_tables, write_updates
from holdfast.postgres.relations import QualifiedName
from holdfast.progress import Progress, Silent
from holdfast.values.ids import RestorePointId

_SILENT = Silent()


@dataclass(frozen=True, slots=True)
class _Prepared:
    plan: Plan
    undoing: Undoing
    triggers: tuple[Triggers, ...]


def plan_undo_rows(environment: Environment, undone: RestorePointId, *, progress: Progress = _SILENT) -> Plan:
    """What taking back the rows that the operation ``undone`` wrote would do to live as it is now; only reads.

    Raises UsageError for one that has written none.
    """
    record, entries = _recorded(environment, undone)
    progress.begin("compare")
    with opened_live(environment, is_read_only=True, doing="planning to take rows back") as live:
        plan = _prepare(environment, undone, record, live, entries).plan
    progress.end()
    return plan


def apply_undo_rows(
    environment: Environment,
    operation: RestorePointId,
    undone: RestorePointId,
    *,
    demand: Callable[[Plan], None],
    progress: Progress = _SILENT,
) -> Outcome:
    """Do what the plan says, or nothing, as the operation ``operation``; raises as ``apply_rows``."""
    record, entries = _recorded(environment, undone)
    with opened_live(environment, is_read_only=False, doing="taking rows back") as live:
        own = find_record(environment, operation)
        if own is not None and is_standing(live, done := read_rows(environment, operation, own)):
            return Outcome(notes=("an attempt before this one had done it",), facts=_facts(done))
        progress.begin("apply")
        with live.session.transaction():
            live.session.execute("SET TRANSACTION ISOLATION LEVEL READ COMMITTED, READ WRITE")
            lock_tables(live.session, tables_to_lock(live.relations, {entry.id.table for entry in entries}))
            prepared = _prepare(environment, undone, record, live, entries)
            demand(prepared.plan)
            prepared.plan.demand_possible()
            steps = prepared.undoing.entries
            store_rows(environment, operation, steps, point=record.restore_point, plan_sha256=prepared.plan.sha256)
            _write(live, prepared)
        progress.end(f"{len(steps)} rows")
    return Outcome(facts=_facts(steps))


def _recorded(environment: Environment, undone: RestorePointId) -> tuple[RowsRecord, tuple[Entry, ...]]:
    record = find_record(environment, undone)
    if record is None:
        raise UsageError(
            f"operation {environment.title}/{undone}: has written no rows that could be taken back",
            hint="Name an operation of the kind recover_rows that was applied.",
        )
    return record, read_rows(environment, undone, record)


def _prepare(
    environment: Environment, undone: RestorePointId, record: RowsRecord, live: Live, entries: Sequence[Entry]
) -> _Prepared:
    undoing = decide_undo(live.session, live.relations, entries)
    written: list[QualifiedName] = sorted({entry.id.table for entry in undoing.entries})
    triggers = triggers_of(live.session, [live.relations[name] for name in written], "quiet")
    is_empty = not undoing.entries
    plan = Plan(
        kind="undo_rows",
        app=environment.app,
        environment=environment.name,
        restore_point=record.restore_point,
        body=undo_body(undone, live, undoing, triggers),
        facts={
            **_facts(undoing.entries),
            "conflicts": len(undoing.conflicts),
            "rows that are gone already": len(undoing.gone),
        },
        faults=("nothing to do: no row stands as it was written",) if is_empty else (),
    )
    return _Prepared(plan, undoing, triggers)


def _write(live: Live, prepared: _Prepared) -> None:
    session, undoing = live.session, prepared.undoing
    changes = [
        Change(Row(entry.id, entry.row), Row(entry.id, entry.before), entry.columns)
        for entry in undoing.entries
        if entry.row is not None and entry.before is not None
    ]
    session.execute("SET CONSTRAINTS ALL DEFERRED")
    with quiet(session, [live.relations[each.table] for each in prepared.triggers], prepared.triggers):
        write_updates(session, live.relations, changes, live.path)
        session.execute("SET CONSTRAINTS ALL DEFERRED")
        delete_rows(session, live.relations, undoing.deletes)


def _facts(entries: Sequence[Entry]) -> dict[str, Fact]:
    return {
        "rows deleted": sum(entry.action == "delete" for entry in entries),
        "rows put back": sum(entry.action == "overwrite" for entry in entries),
    }

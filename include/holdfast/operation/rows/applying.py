"""Inserts recovered rows into live in one transaction, once what is there now gives the plan that was agreed to."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from holdfast.drill.outcome import Outcome
from holdfast.environment import Environment
from holdfast.errors import UsageError
from holdfast.manifest.evidence import Fact
from holdfast.operation.plans import Plan
from holdfast.operation.rows.entries import Entry, entries_of
from holdfast.operation.rows.finding import find_rows
from holdfast.operation.rows.livesession import Live, opened_live
from holdfast.operation.rows.planning import Planned, Prepared, prepare
from holdfast.operation.rows.pool import Pool
from holdfast.operation.rows.record import find_record, read_rows, store_rows
from holdfast.operation.rows.request import RowsRequest
from holdfast.operation.rows.texts import rows_with
from holdfast.operation.rows.triggers import quiet
from holdfast.operation.rows.writing import lock_tables, raise_sequences, verify, write_inserts, write_updates
from holdfast.postgres.relations import QualifiedName
from holdfast.progress import Progress, Silent
from holdfast.values.ids import RestorePointId

_SILENT = Silent()


def apply_rows(
    environment: Environment,
    operation: RestorePointId,
    point: RestorePointId,
    request: RowsRequest,
    *,
    demand: Callable[[Plan], None],
    progress: Progress = _SILENT,
    planned: Planned | None = None,
) -> Outcome:
    """Do what the plan says, or nothing. ``demand`` gets the plan as it comes out with the locks held.

    The rows are found anew, unless this process has them: ``planned``, of the same restore point and request.

    The record of what is written stands in the store before the commit. An attempt that was killed after its commit is
    found to have done it. Raises what ``demand`` raises, and DatabaseUnavailable where the tables are in use.
    """
    with opened_live(environment, is_read_only=False, doing="recovering rows") as live:
        done = _find_done(environment, operation, live)
        if done is not None:
            return Outcome(notes=("an attempt before this one had done it",), facts=_facts(done))
        pool = _pool_of(planned, point, request, live)
        if pool is None:
            pool = find_rows(environment, point, request, live.session, live.relations, progress=progress)
        progress.begin("apply")
        with live.session.transaction():
            prepared = _locked(environment, point, live, pool)
            demand(prepared.plan)
            prepared.plan.demand_possible()
            entries = tuple(entries_of(pool, prepared.decision))
            store_rows(environment, operation, entries, point=str(point), plan_sha256=prepared.plan.sha256)
            notes = _write(live, pool, prepared)
        progress.end(f"{len(entries)} rows")
    return Outcome(notes=notes, facts=_facts(entries))


def _pool_of(planned: Planned | None, point: RestorePointId, request: RowsRequest, live: Live) -> Pool | None:
    """What was found already, where it is what is asked for and live's tables are still the same."""
    if planned is None or (planned.point, planned.pool.request) != (point, request):
        return None
    return planned.pool if planned.pool.relations == live.relations else None


def is_standing(live: Live, entries: Sequence[Entry]) -> bool:
    """Is live as the entries left it?"""
    tables: dict[QualifiedName, list[Entry]] = {}
    for entry in entries:
        tables.setdefault(entry.id.table, []).append(entry)
    for table, of in tables.items():
        relation = live.relations.get(table)
        if relation is None or not relation.primary_key:
            return False
        found = rows_with(live.session, relation, relation.primary_key, [entry.id.key for entry in of])
        for index, entry in enumerate(of):
            there = found.get(index)
            if (there is None) != (entry.row is None):
                return False
            if there and entry.row and any(there[0].values.get(name) != entry.row[name] for name in entry.columns):
                return False
    return True


def _find_done(environment: Environment, operation: RestorePointId, live: Live) -> tuple[Entry, ...] | None:
    """What a killed attempt of this operation wrote, where live has all of it."""
    record = find_record(environment, operation)
    if record is None:
        return None
    entries = read_rows(environment, operation, record)
    return entries if is_standing(live, entries) else None


def _locked(environment: Environment, point: RestorePointId, live: Live, pool: Pool) -> Prepared:
    """The plan with all tables locked that it writes to."""
    live.session.execute("SET TRANSACTION ISOLATION LEVEL READ COMMITTED, READ WRITE")
    locked: set[QualifiedName] = set()
    while True:
        prepared = prepare(environment, point, live, pool)
        needed = {each.table for each in prepared.triggers}
        if needed <= locked:
            return prepared
        lock_tables(live.session, needed - locked)
        locked |= needed


def _write(live: Live, pool: Pool, prepared: Prepared) -> tuple[str, ...]:
    decision, order = prepared.decision, prepared.order
    if order is None:
        raise UsageError("rows: cannot be ordered")
    session, relations = live.session, live.relations
    session.execute("SET CONSTRAINTS ALL DEFERRED")
    with quiet(session, [relations[each.table] for each in prepared.triggers], prepared.triggers):
        write_inserts(session, pool, order, live.path)
        write_updates(session, relations, decision.overwrites, live.path)
    is_quiet = all(each.are_quiet or not each.names for each in prepared.triggers)
    rows = [*decision.inserts, *(change.row for change in decision.overwrites)]
    notes = verify(session, pool, rows, is_quiet=is_quiet)
    raise_sequences(session, pool, decision.inserts)
    return notes


def _facts(entries: Sequence[Entry]) -> dict[str, Fact]:
    return {
        "rows inserted": sum(entry.action == "insert" for entry in entries),
        "rows overwritten": sum(entry.action == "overwrite" for entry in entries),
    }

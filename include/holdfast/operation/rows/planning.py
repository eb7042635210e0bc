"""Plans the recovery of rows: live is only read, and nothing is written anywhere."""

from __future__ import annotations

from dataclasses import dataclass, field

from holdfast.environment import Environment
from holdfast.errors import UsageError
from holdfast.manifest.evidence import Fact
from holdfast.operation.plans import Plan
from holdfast.operation.rows.body import SHOWN, body_of
from holdfast.operation.rows.deciding import Decision, decide, shown_key
from holdfast.operation.rows.finding import find_rows
from holdfast.operation.rows.livesession import Live, opened_live
from holdfast.operation.rows.ordering import Order, order
from holdfast.operation.rows.pool import Pool
from holdfast.operation.rows.request import RowsRequest
from holdfast.operation.rows.seeing import look
from holdfast.operation.rows.triggers import Triggers, triggers_of
from holdfast.progress import Progress, Silent
from holdfast.values.ids import RestorePointId

_SILENT = Silent()


@dataclass(frozen=True, slots=True)
class Planned:
    """A plan, and what the restore point ``point`` gave for it; ``pool`` holds contents of rows."""

    plan: Plan
    point: RestorePointId
    pool: Pool = field(repr=False)


@dataclass(frozen=True, slots=True)
class Prepared:
    """A plan together with what it takes to do it."""

    plan: Plan
    decision: Decision
    order: Order | None
    triggers: tuple[Triggers, ...]


def plan_rows(
    environment: Environment, point: RestorePointId, request: RowsRequest, *, progress: Progress = _SILENT
) -> Plan:
    """What recovering these rows would do to live as it is now.

    Raises UsageError for a request that cannot be used, and what reading a restore point raises.
    """
    return find_and_plan(environment, point, request, progress=progress).plan


def find_and_plan(
    environment: Environment, point: RestorePointId, request: RowsRequest, *, progress: Progress = _SILENT
) -> Planned:
    """The same with the rows that were found, for who applies it at once: finding them takes most of the time."""
    with opened_live(environment, is_read_only=True, doing="planning to recover rows") as live:
        pool = find_rows(environment, point, request, live.session, live.relations, progress=progress)
        return Planned(prepare(environment, point, live, pool).plan, point, pool)


def prepare(environment: Environment, point: RestorePointId, live: Live, pool: Pool) -> Prepared:
    """Look at live once more and decide; inside of a transaction that holds the locks it is final."""
    decision = decide(pool, look(live.session, pool))
    written = {row.id.table for row in decision.inserts} | {each.row.id.table for each in decision.overwrites}
    relations = [live.relations[name] for name in sorted(written)]
    triggers = triggers_of(live.session, relations, pool.request.triggers)
    faults = list(pool.faults if decision.inserts else ())
    ordered = None
    try:
        ordered = order(pool.relations, pool.links, decision.inserts)
    except UsageError as error:
        faults.append(error.message)
    if decision.is_empty:
        faults.append(f"nothing to do: {_why_nothing(pool, decision)}")
    plan = Plan(
        kind="recover_rows",
        app=environment.app,
        environment=environment.name,
        restore_point=str(point),
        body=body_of(pool, decision, triggers, str(point), live.identity),
        notes=_notes(pool, decision),
        facts=_facts(decision),
        faults=tuple(faults),
    )
    return Prepared(plan, decision, ordered, triggers)


def _why_nothing(pool: Pool, decision: Decision) -> str:
    if not pool.asked:
        return "no row of the restore point fits"
    if decision.conflicts:
        return f"live has {len(decision.conflicts)} of the rows otherwise, and conflicts are only reported"
    if decision.blocked:
        return "live would refuse every row that lacks"
    return "live has all of the rows just so"


def _facts(decision: Decision) -> dict[str, Fact]:
    return {
        "rows to insert": len(decision.inserts),
        "of them parents": len(decision.parents),
        "rows to overwrite": len(decision.overwrites),
        "conflicts": len(decision.conflicts),
        "rows alike": len(decision.same),
        "rows that cannot be inserted": len(decision.blocked),
    }


def _notes(pool: Pool, decision: Decision) -> str:
    """Parents that have changed since are no part of what is agreed to: they change all the time."""
    if not decision.differing:
        return ""
    shown = [f"- `{id.table}` {shown_key(pool, id)}" for id in decision.differing[:SHOWN]]
    more = len(decision.differing) - SHOWN
    lines = ["Rows that are referred to, and that live has otherwise than the restore point; they are left alone:", ""]
    return "\n".join([*lines, *shown, *([f"- and {more} more"] if more > 0 else [])])

"""Applies a restore of tables to live, in one transaction that ends with a proof."""

from __future__ import annotations

import time
from collections.abc import Callable

from holdfast.drill.outcome import Outcome
from holdfast.environment import Environment
from holdfast.errors import UsageError
from holdfast.manifest.evidence import Fact
from holdfast.operation.live import live_target
from holdfast.operation.plans import Plan
from holdfast.operation.tables.comparing import Difference
from holdfast.operation.tables.examining import Examination, examine
from holdfast.operation.tables.locking import lock_tables
from holdfast.operation.tables.planning import Apart, plan_of, restored_apart
from holdfast.operation.tables.previous import SHA256, keep_previous, kept_before, sha256_of
from holdfast.operation.tables.request import TablesRequest
from holdfast.operation.tables.sequences import advance_sequences
from holdfast.operation.tables.sessions import Backup, changing
from holdfast.operation.tables.staging import stage
from holdfast.operation.tables.verifying import demand_equal, demand_references
from holdfast.operation.tables.writing import write
from holdfast.postgres.conninfo import Target
from holdfast.postgres.session import Session
from holdfast.progress import Progress, Silent
from holdfast.values.ids import RestorePointId

_SILENT = Silent()


def apply_tables(
    environment: Environment,
    operation: RestorePointId,
    point: RestorePointId,
    request: TablesRequest,
    *,
    demand: Callable[[Plan], None],
    progress: Progress = _SILENT,
) -> Outcome:
    """Make the live tables what the plan says; all of it, or nothing.

    ``demand`` is given the plan as it comes out with the tables locked, before anything is written. Previous rows stand
    in the store before the commit. Raises UsageError where nothing differs or the plan has faults, DatabaseUnavailable
    where the tables cannot be locked in time, RestoreError where live did not become what it should; live is then as
    it was. An attempt after one that was killed finds what that one had done.
    """
    target = live_target(environment)
    with restored_apart(environment, point, request, target, str(operation), progress) as apart:
        return _apply(environment, operation, point, request, target, apart, demand, progress)


def _apply(
    environment: Environment,
    operation: RestorePointId,
    point: RestorePointId,
    request: TablesRequest,
    target: Target,
    apart: Apart,
    demand: Callable[[Plan], None],
    progress: Progress,
) -> Outcome:
    with changing(target) as live:
        progress.begin("lock")
        relations, chosen = lock_tables(live, target, request)
        progress.end()
        locked = time.monotonic()
        found = examine(live, relations, chosen, apart.backup, request.mode, progress)
        if not found.touched:
            return _nothing_left(environment, operation, found)
        plan = plan_of(environment, point, found, apart.restore_seconds, time.monotonic() - locked)
        demand(plan)
        plan.demand_possible()
        kept: dict[str, Fact] = {}

        def keep(difference: Difference) -> None:
            pair = difference.pair
            previous = keep_previous(environment, operation, live, pair)
            kept[f"{pair.title}: previous rows"] = previous.key
            kept[f"{pair.title}: previous rows{SHA256}"] = previous.sha256

        outcome = write_differences(live, found, apart.backup, keep, progress)
        live.commit()
        kept["tables locked for seconds"] = round(time.monotonic() - locked, 3)
    return Outcome.merged((outcome, Outcome(facts=kept)))


def write_differences(
    live: Session,
    found: Examination,
    backup: Backup,
    keep: Callable[[Difference], None],
    progress: Progress = _SILENT,
) -> Outcome:
    """Write what differs and prove it, in the transaction under way; ``keep`` is called for each table to be changed.

    Its previous rows are then in the temporary table ``old``. Raises RestoreError where live did not become what it
    should: the transaction must then be rolled back.
    """
    facts: dict[str, Fact] = {"mode": found.mode}
    for difference in found.differences:
        title = difference.pair.title
        progress.begin(f"keep previous rows of {title}")
        stage(live, backup, difference, found.mode)
        if difference.touched(found.mode):
            keep(difference)
            facts |= {f"{title}: added": difference.added, f"{title}: changed": difference.changed}
            if found.mode == "replace":
                facts[f"{title}: deleted"] = difference.removed
        progress.end()
    progress.begin("write")
    facts["written"] = write(live, found)
    progress.end(f"{found.touched} rows")
    demand_equal(live, found, backup, progress)
    demand_references(live, found)
    moved = [line for pair in found.pairs for line in advance_sequences(live, pair)]
    return Outcome(notes=tuple(moved), facts=facts)


def _nothing_left(environment: Environment, operation: RestorePointId, found: Examination) -> Outcome:
    """An attempt that was ended after its commit has left what it kept."""
    kept = kept_before(environment, operation)
    if not kept:
        raise UsageError(
            f"{', '.join(pair.title for pair in found.pairs)}: nothing differs from the restore point",
            hint="Choose an older restore point, or other tables.",
        )
    facts: dict[str, Fact] = {"mode": found.mode}
    for number, key in enumerate(kept, 1):
        facts |= {f"previous rows {number}": key, f"previous rows {number}{SHA256}": sha256_of(environment, key)}
    return Outcome(notes=("an earlier attempt had applied it already: nothing differs any more",), facts=facts)

"""Plans a restore of tables: how a restore point and live differ, with nothing written in live or the store."""

from __future__ import annotations

import secrets
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from holdfast.environment import Environment
from holdfast.manifest.evidence import Fact
from holdfast.operation.live import live_target
from holdfast.operation.plans import Plan
from holdfast.operation.scratch import scratch
from holdfast.operation.tables.examining import Examination, examine
from holdfast.operation.tables.pairing import choose_tables
from holdfast.operation.tables.report import plan_body, plan_notes
from holdfast.operation.tables.request import TablesRequest
from holdfast.operation.tables.restoring import restore_chosen
from holdfast.operation.tables.sessions import Backup, reading, restored
from holdfast.postgres.conninfo import Target
from holdfast.postgres.relations import read_relations
from holdfast.progress import Progress, Silent
from holdfast.values.ids import RestorePointId

_SILENT = Silent()


@dataclass(frozen=True, slots=True)
class Apart:
    """The chosen tables as they were restored apart from live."""

    backup: Backup
    restore_seconds: float


def plan_tables(
    environment: Environment, point: RestorePointId, request: TablesRequest, *, progress: Progress = _SILENT
) -> Plan:
    """What restoring the tables would change, and whether it can be done.

    Raises UsageError for tables that either side does not have, DrillError where no server can be made to restore on,
    and what reading the restore point raises.
    """
    target = live_target(environment)
    with restored_apart(environment, point, request, target, f"tables-{secrets.token_hex(4)}", progress) as apart:
        started = time.monotonic()
        with reading(target) as live:
            relations = read_relations(live)
            chosen = choose_tables(relations, request, where=target.describe())
            found = examine(live, relations, chosen, apart.backup, request.mode, progress)
        return plan_of(environment, point, found, apart.restore_seconds, time.monotonic() - started)


@contextmanager
def restored_apart(
    environment: Environment,
    point: RestorePointId,
    request: TablesRequest,
    live: Target,
    name: str,
    progress: Progress,
) -> Iterator[Apart]:
    """The tables that ``request`` means in live, restored on a server that ends with the block."""
    with reading(live) as session:
        chosen = choose_tables(read_relations(session), request, where=live.describe())
    progress.begin("recovery environment")
    with scratch(environment, point, name) as recovery:
        progress.end(f"PostgreSQL {recovery.server_version}")
        seconds = restore_chosen(environment, point, recovery, chosen, progress)
        with restored(recovery.target) as backup:
            yield Apart(backup, seconds)


def plan_of(
    environment: Environment, point: RestorePointId, found: Examination, restore_seconds: float, compare_seconds: float
) -> Plan:
    """The plan for what was found."""
    manifest = environment.catalog.manifest(point, environment.verifier())
    taken_at = manifest.database.source.snapshot_at
    return Plan(
        kind="restore_tables",
        app=environment.app,
        environment=environment.name,
        restore_point=str(point),
        body=plan_body(found, title=environment.title, point=str(point), taken_at=taken_at),
        notes=plan_notes(found, restore_seconds=restore_seconds, compare_seconds=compare_seconds),
        facts=_facts(found),
        faults=found.faults,
    )


def _facts(found: Examination) -> dict[str, Fact]:
    each = found.differences
    return {
        "mode": found.mode,
        "tables": len(each),
        "rows only in the backup": sum(difference.added for difference in each),
        "rows changed": sum(difference.changed for difference in each),
        "rows only in live": sum(difference.removed for difference in each),
        "rows equal": sum(difference.equal for difference in each),
        "rows to write": found.touched,
    }

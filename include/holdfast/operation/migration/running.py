"""Runs the application's migration on the live database, once, behind its snapshot, and tells what it changed."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from datetime import datetime

from holdfast.catalog.drafts import read_draft, write_draft
from holdfast.drill.outcome import Outcome, blames_operation
from holdfast.environment import Environment
from holdfast.errors import HoldfastError, ObjectExists, UsageError
from holdfast.manifest.evidence import Fact, TableRows
from holdfast.manifest.model import Manifest, Record
from holdfast.operation.live import live_target
from holdfast.operation.migration.checking import check_live, failures
from holdfast.operation.migration.command import LiveCommand, NotStarted, live_command
from holdfast.operation.migration.following import find_failed
from holdfast.operation.migration.guard import demand_behind, demand_same_database, migration_of, said
from holdfast.operation.migration.planning import plan_migration
from holdfast.operation.plans import Plan
from holdfast.operation.records import read_operation
from holdfast.postgres.conninfo import Target
from holdfast.postgres.counts import count_tables
from holdfast.postgres.switching import exclusive
from holdfast.progress import Progress, Silent
from holdfast.recovery import CommandOutcome
from holdfast.values.ids import RestorePointId

_SILENT = Silent()
_BEGUN = "draft-migration-begun.json"
_WORKERS = 2
_MOST_NOTES = 50


class MigrationBegun(Record):
    """Left before the command starts: whoever finds it knows that the database may be half migrated."""

    operation: str
    begun_at: datetime


def run_migration(
    environment: Environment,
    operation: RestorePointId,
    *,
    demand: Callable[[Plan], None],
    progress: Progress = _SILENT,
) -> Outcome:
    """Run ``migration.command`` on the live database, then the checks; a failure is a finding, and undoes nothing.

    No snapshot, no migration: raises IntegrityError, SignatureError or RestoreError before anything has run where the
    operation's own fresh snapshot does not stand, or is of another database; what ``demand`` raises; UsageError for a
    command that is not on this host, or that was begun before. The fact ``failed migration`` is what
    ``migration.failed_query`` names after a failure.
    """
    opened, rules, live = read_operation(environment, operation), migration_of(environment), live_target(environment)
    if opened.kind != "guarded_migration":
        raise UsageError(f"operation {environment.title}/{operation}: is a {opened.kind}, not a guarded migration")
    with exclusive(live, environment.app, environment.name):
        manifest = demand_behind(environment, opened)
        demand_same_database(live, manifest)
        before = _count(live, manifest, progress)
        with live_command(rules, live, rules.command) as command:
            demand(plan_migration(environment, opened.point))
            done = _run_once(environment, operation, command, progress)
        if done.status == 0:
            afterwards = (
                _told(lambda: _compared(live, manifest, before)),
                _told(lambda: check_live(environment, progress)),
            )
        else:
            afterwards = (_told(lambda: _compared(live, manifest, before)), _told(lambda: _named(environment)))
    facts: dict[str, Fact] = {
        "command": rules.command,
        "exit status": done.status,
        "command seconds": done.seconds,
        "rows before": sum(rows.found or 0 for rows in before),
    }
    ran = Outcome(failures(rules.command, done, str(rules.timeout)), done.said, facts)
    return Outcome.merged((ran, *afterwards))


def has_begun(environment: Environment, operation: RestorePointId) -> bool:
    """Was the command of that migration started, however it ended? Told until the operation's evidence is recorded."""
    key = environment.keys.evidence_object(operation, _BEGUN)
    begun = read_draft(environment.store, key, MigrationBegun, environment.verifier())
    return begun is not None and begun.operation == str(operation)


def _run_once(
    environment: Environment, operation: RestorePointId, command: LiveCommand, progress: Progress
) -> CommandOutcome:
    """A second attempt after a kill would meet a database that nobody knows the state of."""
    key = environment.keys.evidence_object(operation, _BEGUN)
    begun = MigrationBegun(operation=str(operation), begun_at=environment.clock())
    try:
        write_draft(environment.store, key, begun, environment.signer())
    except ObjectExists as error:
        raise UsageError(
            f"operation {environment.title}/{operation}: its migration was begun before, and how it ended is not known",
            hint="Look at the live database. Then restore the snapshot, or trigger a new run that takes its own.",
        ) from error
    progress.begin(f"run {command.line}")
    try:
        done = command.run()
    except NotStarted:
        environment.store.delete(key)
        raise
    progress.end(f"exit status {done.status}")
    return done


def _count(live: Target, manifest: Manifest, progress: Progress) -> tuple[TableRows, ...]:
    progress.begin("count")
    counted = count_tables(live, manifest.database.source.tables, workers=_WORKERS)
    progress.end(f"{len(counted)} tables")
    return counted


def _told(work: Callable[[], Outcome]) -> Outcome:
    """Once the command has run, nothing that goes wrong may hide what it did."""
    try:
        return work()
    except HoldfastError as error:
        return Outcome((blames_operation(said(error)),))


def _compared(live: Target, manifest: Manifest, before: Sequence[TableRows]) -> Outcome:
    """The rows after against those before; a migration may well change them, so that nothing of it is a fault."""
    found = {rows.table: rows.found for rows in before}
    tables = [(each, found.get(f"{each.schema_name}.{each.name}")) for each in manifest.database.source.tables]
    expected = [each.model_copy(update={"rows": rows}) for each, rows in tables if rows is not None]
    after = count_tables(live, expected, workers=_WORKERS)
    facts: dict[str, Fact] = {
        "rows after": sum(rows.found or 0 for rows in after),
        "tables gone": sum(rows.is_missing for rows in after),
    }
    return Outcome(notes=_changes(after), facts=facts)


def _named(environment: Environment) -> Outcome:
    """Which migration it was that failed."""
    name = find_failed(environment)
    return Outcome(facts={"failed migration": name} if name is not None else {})


def _changes(after: Sequence[TableRows]) -> tuple[str, ...]:
    lines = list(_each_change(after))
    rest = len(lines) - _MOST_NOTES
    return (*lines[:_MOST_NOTES], f"and {rest} more tables") if rest > 0 else tuple(lines)


def _each_change(after: Sequence[TableRows]) -> Iterator[str]:
    for rows in after:
        if rows.is_missing:
            yield f"table {rows.table} is gone, it had {rows.expected} rows"
        elif rows.expected is None:
            yield f"table {rows.table} is new"
        elif rows.found != rows.expected:
            yield f"table {rows.table}: {rows.expected} rows before, {rows.found} after"

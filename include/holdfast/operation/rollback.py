"""Rolling back a deployment: did the schema change since the snapshot before it, and so must the database go back?"""

from __future__ import annotations

from collections.abc import Iterator

from holdfast.environment import Environment
from holdfast.errors import DrillError, IntegrityError, PermanentError, RestoreError, ToolError, UsageError
from holdfast.evidence.objects import sha256
from holdfast.evidence.visible import code, prose
from holdfast.manifest.evidence import TableRows
from holdfast.manifest.head import Head
from holdfast.manifest.model import Manifest
from holdfast.operation.live import live_target
from holdfast.operation.migration.guard import fault_of_database
from holdfast.operation.plans import Plan
from holdfast.operation.schema import SchemaDifference, compare_with_live
from holdfast.postgres.conninfo import Target
from holdfast.postgres.counts import count_tables
from holdfast.progress import Progress, Silent
from holdfast.values import figures
from holdfast.values.ids import RestorePointId

PREFIX = "pre-deploy-"
_SILENT = Silent()
_WORKERS = 2
_MOST_TABLES = 50
# Where the tools of applications keep which migrations have run (Prisma, Rails, Django, Alembic, Flyway, Knex, Drizzle,
# Liquibase, TypeORM, Sequelize).
_OF_MIGRATIONS = frozenset(
    {
        "_prisma_migrations",
        "schema_migrations",
        "django_migrations",
        "alembic_version",
        "flyway_schema_history",
        "knex_migrations",
        "__drizzle_migrations",
        "databasechangelog",
        "migrations",
        "SequelizeMeta",
    }
)


def find_label(environment: Environment, label: str | None = None) -> RestorePointId:
    """The newest restore point whose label begins with ``pre-deploy-``, or is just ``label``, whole and ours.

    Raises UsageError for a label of another kind or that none bears, and SignatureError or IntegrityError where the
    newest that bears it is not what it was: an older one is another state, which a person must choose.
    """
    if label is not None and not label.startswith(PREFIX):
        raise UsageError(
            f"label {label!r}: does not begin with {PREFIX}", hint="A rollback goes back to before a deployment."
        )
    catalog = environment.catalog
    entries = {entry.id: entry for entry in catalog.entries() if entry.is_committed}
    labels = {id: head.label for id, head in catalog.heads(entries) if isinstance(head, Head)}
    fitting = [id for id, found in labels.items() if found is not None and found.startswith(PREFIX)]
    chosen = [id for id in fitting if label in (None, labels[id])]
    if not chosen:
        raise UsageError(
            f"{environment.title}: no restore point is labelled {label or f'{PREFIX}…'}",
            hint=f"Labelled are: {', '.join(sorted({labels[id] or '' for id in fitting})) or 'none'}.",
        )
    newest = max(chosen)
    manifest = catalog.manifest(newest, environment.verifier())
    faults = entries[newest].missing(manifest)
    if faults or manifest.label != labels[newest]:
        raise IntegrityError(f"restore point {environment.title}/{newest}: {'; '.join(faults) or 'was changed'}")
    return newest


def plan_rollback(
    environment: Environment, point: RestorePointId, progress: Progress = _SILENT, *, is_counted: bool = True
) -> Plan:
    """Whether the database must go back with the application, by comparing its definitions; writes nothing.

    The fact ``schema_changed`` decides: only where it is true is there anything to restore. Where the definitions
    cannot be compared here, they count as changed, and ``schema_compared`` is false. Raises SignatureError,
    IntegrityError or DecryptError where the restore point is not what it was, and what connecting raises. Counting
    reads the whole live database and is for people alone: the same plan without it has no notes.
    """
    manifest, live = environment.catalog.manifest(point, environment.verifier()), live_target(environment)
    faults = fault_of_database(live, manifest)
    difference, why_not = (None, "") if faults else _compared(environment, point, progress)
    return Plan(
        kind="rollback",
        app=environment.app,
        environment=environment.name,
        restore_point=str(point),
        body="\n".join(_body(environment, manifest, difference)) + "\n",
        notes="\n".join(_notes(live, manifest, why_not, progress)) if is_counted and not faults else "",
        facts={
            "schema_changed": difference is None or not difference.is_equal,
            "schema_compared": difference is not None,
            "label": manifest.label,
            "added": len(difference.added) if difference is not None else None,
            "removed": len(difference.removed) if difference is not None else None,
            "changed": len(difference.changed) if difference is not None else None,
        },
        faults=faults,
    )


def _compared(
    environment: Environment, point: RestorePointId, progress: Progress
) -> tuple[SchemaDifference | None, str]:
    """The difference, or None and why it cannot be told: a server, an extension or a right that is not to be had."""
    try:
        return compare_with_live(environment, point, progress), ""
    except (DrillError, RestoreError, ToolError) as error:
        return None, error.message
    except PermanentError as error:
        # Of these some speak against the restore point itself, and only the rest may be passed over.
        if type(error) is PermanentError:
            return None, error.message
        raise


def _body(environment: Environment, manifest: Manifest, difference: SchemaDifference | None) -> Iterator[str]:
    source = manifest.database.source
    yield f"## Rollback of {code(environment.title)} to {code(manifest.label or manifest.id)}"
    yield ""
    yield f"- Restore point: {code(manifest.id)}, SHA-256 {code(sha256(manifest.encode()))}"
    yield f"- It shows database {code(source.database)} at {source.snapshot_at.isoformat()}"
    yield ""
    if difference is None:
        yield "**It cannot be told here whether the schema has changed**, so that it is taken as changed."
        yield from _restore()
    elif difference.is_equal:
        yield "**The schema is unchanged: no database restore is needed.** Roll back the application only:"
        yield "`git revert` the deployment and deploy that. The database stays, with all that was written since."
    else:
        yield "**The schema has changed since**, so that the application of that day does not fit the live database:"
        yield ""
        yield from (f"- {prose(line)}" for line in difference.lines())
        yield ""
        yield from _restore()


def _restore() -> Iterator[str]:
    yield "The database must be restored to that point by the switch, beside the rollback of the application"
    yield "(`git revert`). What was written since then is not in it; the replaced database is kept."


def _notes(live: Target, manifest: Manifest, why_not: str, progress: Progress) -> Iterator[str]:
    """What was written since, as far as numbers of rows show it."""
    if why_not:
        yield f"Why it cannot be told: {prose(why_not)}"
        yield ""
    progress.begin("count")
    rows = count_tables(live, manifest.database.source.tables, workers=_WORKERS)
    progress.end(f"{len(rows)} tables")
    changed = [each for each in rows if not each.is_equal]
    yield "### Written since, as far as numbers of rows tell (changed rows do not show)"
    yield ""
    if not changed:
        yield "No table has more or fewer rows than then."
    yield from (f"- {_told(each)}" for each in sorted(changed, key=_migrations_first)[:_MOST_TABLES])
    if len(changed) > _MOST_TABLES:
        yield f"- and {len(changed) - _MOST_TABLES} more tables"


def _told(rows: TableRows) -> str:
    name = code(rows.table)
    if rows.is_missing:
        return f"{name} is gone, with {figures.count(rows.expected or 0)} rows"
    if rows.expected is None or rows.found is None:
        return f"{name} is new"
    line = f"{name}: {figures.count(rows.expected)} rows then, {figures.count(rows.found)} now"
    return f"{line}: **migrations have run since**" if _is_of_migrations(rows) else line


def _migrations_first(rows: TableRows) -> tuple[bool, str]:
    return not _is_of_migrations(rows), rows.table


def _is_of_migrations(rows: TableRows) -> bool:
    return rows.table.rpartition(".")[2] in _OF_MIGRATIONS

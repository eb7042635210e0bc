"""The plan of a guarded migration: what will run on which database, and which snapshot stands behind it."""

from __future__ import annotations

from collections.abc import Iterator

from holdfast.environment import Environment
from holdfast.evidence.objects import sha256
from holdfast.evidence.visible import code
from holdfast.manifest.model import Manifest
from holdfast.operation.live import live_target
from holdfast.operation.migration.guard import fault_of_database, migration_of, snapshot_behind
from holdfast.operation.plans import Plan
from holdfast.policy.restore import Migration
from holdfast.postgres.conninfo import Target
from holdfast.values import figures
from holdfast.values.ids import RestorePointId


def plan_migration(environment: Environment, point: RestorePointId) -> Plan:
    """What ``run_migration`` would do with the snapshot ``point`` behind it; writes nothing.

    Raises as ``snapshot_behind``, and UsageError where the policy has no section ``migration``.
    """
    rules, manifest, live = migration_of(environment), snapshot_behind(environment, point), live_target(environment)
    source = manifest.database.source
    return Plan(
        kind="guarded_migration",
        app=environment.app,
        environment=environment.name,
        restore_point=str(point),
        body="\n".join(_body(environment, rules, manifest, live)) + "\n",
        notes=f"The snapshot holds {figures.count(source.rows)} rows in {len(source.tables)} tables, "
        f"{figures.size(manifest.stored_bytes)} stored.",
        facts={"command": rules.command, "database": source.database, "tables": len(source.tables)},
        faults=fault_of_database(live, manifest),
    )


def _body(environment: Environment, rules: Migration, manifest: Manifest, live: Target) -> Iterator[str]:
    source = manifest.database.source
    yield f"## Guarded migration of {code(environment.title)}"
    yield ""
    yield f"- Database: {code(source.database)} of server {code(source.system_identifier)}, as {code(live.user)}"
    yield f"- Snapshot behind it: {code(manifest.id)}, SHA-256 {code(sha256(manifest.encode()))}"
    yield f"- Command: {code(rules.command)}, ended after {rules.timeout}"
    yield f"- Folder: {code(rules.app_dir or 'an empty one')}"
    yield f"- Variables: {', '.join(code(name) for name in sorted((*rules.env, rules.database_variable)))}"
    for check in rules.checks:
        yield f"- Check afterwards: {code(check)}"
    for name in environment.policy.drill.queries if environment.policy.drill is not None else ():
        yield f"- Query afterwards, which only reads: {code(name)}"
    yield ""
    yield "If it fails, nothing is undone by itself: the run stops, shows what was said, and asks whether the snapshot "
    yield "is to be restored."
    if rules.follow_up:
        yield f"After that restore: {', '.join(code(line) for line in rules.follow_up)}"

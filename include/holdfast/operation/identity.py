"""Is what answers as live the database that was backed up, by each of the connections that lead to it?"""

from __future__ import annotations

from collections.abc import Iterator

from holdfast.environment import Environment
from holdfast.errors import ObjectMissing
from holdfast.manifest.model import SourceFacts
from holdfast.operation.live import live_target
from holdfast.postgres.conninfo import Target
from holdfast.postgres.databases import DatabaseIdentity, identify
from holdfast.values.ids import RestorePointId


def connection_faults(environment: Environment) -> tuple[str, ...]:
    """Where ``policy.restore.conn_id`` leads elsewhere than the connection that backups are taken with."""
    if environment.policy.restore.conn_id is None:
        return ()
    source, live = Target.from_connection(environment.database()), live_target(environment)
    backed_up, changed = identify(source), identify(live)
    if backed_up is None or changed is None or backed_up.is_same(changed):
        return ()
    return (
        f"policy.restore.conn_id leads to {changed}, but backups are taken of {backed_up}: what would be replaced is "
        "not what the fresh snapshot holds",
    )


def source_faults(environment: Environment, point: RestorePointId) -> tuple[str, ...]:
    """Where live is another database than the one that the restore point was taken of, by server or by name."""
    try:
        source = environment.catalog.manifest(point, environment.verifier()).database.source
    except ObjectMissing:  # what it restored may be switched back though it has expired
        return ()
    live = identify(live_target(environment))
    return tuple(_differences(source, live)) if live is not None else ()


def _differences(source: SourceFacts, live: DatabaseIdentity) -> Iterator[str]:
    if live.system_identifier != source.system_identifier:
        yield (
            f"live is on another server (system identifier {live.system_identifier}) than the restore point was taken "
            f"of ({source.system_identifier})"
        )
    if live.name != source.database:
        yield f"live is called {live.name}, the restore point was taken of {source.database}"

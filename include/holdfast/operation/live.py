"""Where the live application's database is, with the role that may change it."""

from __future__ import annotations

from holdfast.environment import Environment
from holdfast.errors import UsageError
from holdfast.postgres.conninfo import Target


def live_target(environment: Environment) -> Target:
    """The live database, by ``policy.restore.conn_id`` or else the connection that backups are taken with.

    Raises UsageError where that is not defined, or where both lead to databases of different names.
    """
    source = Target.from_connection(environment.database())
    conn_id = environment.policy.restore.conn_id
    if conn_id is None:
        return source
    target = Target.from_connection(environment.connections.get(conn_id))
    if target.database != source.database:
        raise UsageError(
            f"{environment.title}: policy.restore.conn_id leads to database {target.database}, "
            f"but backups are taken of {source.database}",
            hint="Both must name the live database; only host, role and password may differ.",
        )
    return target

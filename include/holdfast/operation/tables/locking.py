"""Locks the chosen live tables against writers, waiting for a short time only, and says who stood in the way."""

from __future__ import annotations

from collections.abc import Sequence

import psycopg
from psycopg import sql

from holdfast.errors import DatabaseUnavailable
from holdfast.operation.tables.pairing import Relations, choose_tables, family
from holdfast.operation.tables.request import TablesRequest
from holdfast.operation.tables.sessions import LOCK_TIMEOUT_S
from holdfast.postgres.conninfo import Target
from holdfast.postgres.relations import Relation, read_relations
from holdfast.postgres.session import Session, connect, translated

_HOLDERS = """
SELECT DISTINCT a.pid, coalesce(nullif(a.application_name, ''), 'no name'), coalesce(a.state, 'unknown')
  FROM pg_catalog.pg_locks l JOIN pg_catalog.pg_stat_activity a ON a.pid = l.pid
 WHERE l.granted AND l.relation = ANY (%s) AND l.database = (
       SELECT oid FROM pg_catalog.pg_database WHERE datname = pg_catalog.current_database())
   AND l.mode IN ('RowExclusiveLock', 'ShareUpdateExclusiveLock', 'ShareLock', 'ShareRowExclusiveLock',
                  'ExclusiveLock', 'AccessExclusiveLock') AND a.pid <> pg_catalog.pg_backend_pid()
 ORDER BY a.pid LIMIT 5
"""


def lock_tables(live: Session, target: Target, request: TablesRequest) -> tuple[Relations, tuple[Relation, ...]]:
    """Lock, then read the catalog, which can change no more for these tables.

    Readers are not kept out. Raises DatabaseUnavailable where writers do not end in time.
    """
    before = read_relations(live)
    chosen = choose_tables(before, request, where=target.describe())
    names = sql.SQL(", ").join([relation.rows_of for relation in chosen])
    try:
        live.execute(sql.SQL("LOCK TABLE {} IN SHARE ROW EXCLUSIVE MODE").format(names))
    except (psycopg.errors.LockNotAvailable, psycopg.errors.DeadlockDetected) as error:
        live.rollback()
        raise DatabaseUnavailable(
            f"{target.describe()}: {', '.join(str(relation.name) for relation in chosen)}: could not be locked within "
            f"{LOCK_TIMEOUT_S} s{_holders(target, before, chosen)}; nothing was changed",
            hint="End what writes there, or try when the application is quiet.",
        ) from error
    relations = read_relations(live)
    return relations, choose_tables(relations, request, where=target.describe())


def _holders(target: Target, relations: Relations, chosen: Sequence[Relation]) -> str:
    oids = [member.oid for relation in chosen for member in family(relations, relation)]
    with connect(target) as session, translated(target, "asking who holds locks"):
        found = session.execute(_HOLDERS, (oids,)).fetchall()
    named = ", ".join(f"pid {pid} ({name}, {state})" for pid, name, state in found)
    return f": held by {named}" if named else ""

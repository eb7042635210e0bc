"""Proves that a role may start a WAL sender here, as pg_basebackup will, and says what is missing where it may not."""

from __future__ import annotations

import re

from psycopg.pq import ExecStatus

from holdfast.errors import DatabaseError, DatabaseUnavailable, HoldfastError, UsageError
from holdfast.postgres.conninfo import Target
from holdfast.postgres.session import open_session

# libpq hands no SQLSTATE through for a refused start, only the server's words.
_NO_RIGHT = re.compile(r"permission denied to start WAL sender|must be superuser or replication role", re.IGNORECASE)
_NO_LINE = re.compile(r"pg_hba\.conf (entry for|rejects) replication", re.IGNORECASE)
_NO_SENDER = re.compile(r"max_wal_senders")
_POOLED = re.compile(r"unsupported startup parameter|replication.*not supported", re.IGNORECASE)


def demand_replication(target: Target) -> None:
    """Open a replication connection and close it again.

    Raises DatabaseError for a role without the right, UsageError where pg_hba.conf or a pooler refuses it,
    DatabaseUnavailable where all WAL senders are in use, or what ``open_session`` raises.
    """
    try:
        session = open_session(target.with_parameters(replication="true"))
    except HoldfastError as error:
        raise _explained(error, target) from error
    with session:
        # The replication protocol knows no other than simple queries.
        result = session.pgconn.exec_(b"IDENTIFY_SYSTEM")
        if result.status != ExecStatus.TUPLES_OK:
            raise DatabaseUnavailable(f"{target.describe()}: asking for the cluster: {result.get_error_message()}")


def _explained(error: HoldfastError, target: Target) -> HoldfastError:
    said, role = error.message, target.user
    if _NO_RIGHT.search(said):
        return DatabaseError(said, hint=f'Give the role that right: ALTER ROLE "{role}" REPLICATION.')
    if _NO_LINE.search(said):
        return UsageError(
            said,
            hint=f"Add a line such as `host replication {role} <this machine's address>/32 scram-sha-256` to the "
            "server's pg_hba.conf and reload it: `all` in the column of databases does not cover replication.",
        )
    if _NO_SENDER.search(said):
        return DatabaseUnavailable(said, hint="All WAL senders are in use: raise max_wal_senders.")
    if _POOLED.search(said):
        return UsageError(said, hint="A pooler stands before the server: name the server's own host and port.")
    return error

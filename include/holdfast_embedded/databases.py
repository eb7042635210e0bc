"""Roles and databases on the embedded PostgreSQL server: made where missing, given the generated passwords."""

from __future__ import annotations

from typing import LiteralString

import psycopg
from psycopg import sql

from holdfast.recovery.cluster import Cluster

_GRANTS_SETTINGS = 150_000
"""Before 15, every role may set what only extensions know."""


def ensure_role(
    server: Cluster,
    name: str,
    password: str,
    *,
    member_of: LiteralString | None = None,
    makes_databases: bool = False,
) -> None:
    """A role that may log in and nothing more, or what ``member_of`` may, and make databases of its own."""
    with _connect(server) as session:
        role = sql.Identifier(name)
        if session.execute("SELECT FROM pg_roles WHERE rolname = %s", [name]).fetchone() is None:
            session.execute(sql.SQL("CREATE ROLE {} LOGIN").format(role))
        session.execute(sql.SQL("ALTER ROLE {} PASSWORD {}").format(role, sql.Literal(password)))
        if makes_databases:
            session.execute(sql.SQL("ALTER ROLE {} CREATEDB").format(role))
        if member_of is not None:
            session.execute(sql.SQL("GRANT {} TO {}").format(sql.Identifier(member_of), role))


def ensure_database(server: Cluster, name: str, *, owner: str, readers: tuple[str, ...] = ()) -> None:
    """A database that only its owner and ``readers`` may connect to."""
    with _connect(server) as session:
        database = sql.Identifier(name)
        if session.execute("SELECT FROM pg_database WHERE datname = %s", [name]).fetchone() is None:
            session.execute(
                sql.SQL("CREATE DATABASE {} OWNER {} TEMPLATE template0 ENCODING 'UTF8'").format(
                    database, sql.Identifier(owner)
                )
            )
        session.execute(sql.SQL("REVOKE ALL ON DATABASE {} FROM PUBLIC").format(database))
        for reader in readers:
            session.execute(sql.SQL("GRANT CONNECT ON DATABASE {} TO {}").format(database, sql.Identifier(reader)))


def allow_streaming(server: Cluster, role: str, database: str) -> None:
    """Let a role take base backups and stream WAL, as docs/pitr.md tells the owners of servers to."""
    name = sql.Identifier(role)
    with psycopg.connect(server.url(database), autocommit=True) as session:
        session.execute(sql.SQL("ALTER ROLE {} REPLICATION").format(name))
        session.execute(sql.SQL("GRANT pg_monitor TO {}").format(name))
        session.execute(sql.SQL("GRANT EXECUTE ON FUNCTION pg_catalog.pg_switch_wal() TO {}").format(name))
        if session.info.server_version >= _GRANTS_SETTINGS:
            session.execute(sql.SQL("GRANT SET ON PARAMETER holdfast.marker TO {}").format(name))


def _connect(server: Cluster) -> psycopg.Connection:
    return psycopg.connect(server.url(), autocommit=True)


def mark_database(server: Cluster, name: str, mark: str) -> None:
    """Write ``mark`` upon a database, where it lives and dies with it."""
    with _connect(server) as session:
        session.execute(sql.SQL("COMMENT ON DATABASE {} IS {}").format(sql.Identifier(name), sql.Literal(mark)))


def database_mark(server: Cluster, name: str) -> str | None:
    """What ``mark_database`` wrote last."""
    with _connect(server) as session:
        row = session.execute(
            "SELECT shobj_description(oid, 'pg_database') FROM pg_database WHERE datname = %s", [name]
        ).fetchone()
    return row[0] if row else None

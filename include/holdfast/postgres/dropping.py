"""Drop a database of ours with all that looks into it."""

from __future__ import annotations

from psycopg import sql

from holdfast.errors import RestoreError
from holdfast.postgres.conninfo import Target
from holdfast.postgres.databases import DatabaseIdentity
from holdfast.postgres.session import Session, connect, without_login_triggers

# A limit of -2 marks a database whose dropping was broken off: it can only be dropped again.
_ENTRY = """
SELECT datistemplate, datallowconn AND datconnlimit <> -2 FROM pg_catalog.pg_database WHERE oid = %s AND datname = %s
"""
_LONGEST_MS = 60_000
_SUBSCRIPTIONS = "SELECT subname::text, subenabled FROM pg_catalog.pg_subscription WHERE subdbid = %s"


def drop_database(session: Session, server: Target, identity: DatabaseIdentity) -> None:
    """Drop that database and end all its sessions; ``session`` is in another one of the same ``server``.

    Its subscriptions go with it, but the slots that they name on other servers are left alone: those may be the live
    database's. Raises RestoreError where another database has the name by now.
    """
    row = session.execute(_ENTRY, (identity.oid, identity.name)).fetchone()
    if row is None:
        raise RestoreError(f"{identity}: another database has that name by now")
    is_template, lets_in = row
    name = sql.Identifier(identity.name)
    if is_template:
        session.execute(sql.SQL("ALTER DATABASE {} IS_TEMPLATE false").format(name))
    subscriptions = session.execute(_SUBSCRIPTIONS, (identity.oid,)).fetchall()
    if subscriptions and lets_in:
        _let_go(server.with_database(identity.name), subscriptions)
    # It waits for every process of the server to take note, and one that is stopped never does.
    session.execute(sql.SQL("SET statement_timeout = {}").format(sql.Literal(_LONGEST_MS)))
    session.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(name))
    session.execute("SET statement_timeout = 0")


def _let_go(target: Target, subscriptions: list[tuple[str, bool]]) -> None:
    """PostgreSQL drops no database that subscribes to something."""
    with connect(target) as first:
        quiet = without_login_triggers(target, first)
    with connect(quiet) as session:
        for name, is_enabled in subscriptions:
            subject = sql.SQL("SUBSCRIPTION {}").format(sql.Identifier(name))
            if is_enabled:
                session.execute(sql.SQL("ALTER {} DISABLE").format(subject))
            session.execute(sql.SQL("ALTER {} SET (slot_name = NONE)").format(subject))
            session.execute(sql.SQL("DROP {}").format(subject))

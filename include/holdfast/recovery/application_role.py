"""Two roles on a throwaway server: one that restores, and the application's own, which may do no more than own it."""

from __future__ import annotations

import hashlib
import hmac

from psycopg import sql

from holdfast.postgres.conninfo import Target
from holdfast.postgres.session import Session, connect, translated

RESTORER = "holdfast_restore"
APPLICATION = "holdfast_application"
_RIGHTS = "LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION NOBYPASSRLS"
_EVENT_TRIGGERS_SINCE = 170_000

# What only a superuser may own goes to the cluster's first one; the rest of the restorer's can be reassigned.
_KEPT = """
SELECT 'EVENT TRIGGER', evtname, evtowner FROM pg_catalog.pg_event_trigger
UNION ALL SELECT 'FOREIGN DATA WRAPPER', fdwname, fdwowner FROM pg_catalog.pg_foreign_data_wrapper
UNION ALL SELECT 'SUBSCRIPTION', subname, subowner FROM pg_catalog.pg_subscription
 WHERE subdbid = (SELECT oid FROM pg_catalog.pg_database WHERE datname = pg_catalog.current_database())
UNION ALL SELECT 'PUBLICATION', pubname, pubowner FROM pg_catalog.pg_publication
"""
_OWN = "SELECT kind, name FROM ({kept}) AS kept (kind, name, owner) WHERE owner = {restorer}::pg_catalog.regrole"
# The roles that the dump refers to: policies that are meant for them must hold for the application.
_GROUPS = """
SELECT rolname FROM pg_catalog.pg_roles
 WHERE NOT rolcanlogin AND NOT rolsuper AND NOT rolcreaterole AND rolname !~ '^pg_'
   AND NOT pg_catalog.pg_has_role(oid, 'pg_execute_server_program', 'MEMBER')
   AND NOT pg_catalog.pg_has_role(oid, 'pg_read_server_files', 'MEMBER')
   AND NOT pg_catalog.pg_has_role(oid, 'pg_write_server_files', 'MEMBER')
"""
# Until 14 everybody may write to it, and it is the first superuser's.
_PUBLIC = "SELECT 1 FROM pg_catalog.pg_namespace WHERE nspname = 'public' AND nspowner = 10"


def restorer_of(server: Target) -> Target:
    """The role that restores, made where it is missing: what belongs to the first superuser cannot be reassigned."""
    with connect(server) as session, translated(server, "making the role that restores"):
        if session.execute("SELECT 1 FROM pg_catalog.pg_roles WHERE rolname = %s", (RESTORER,)).fetchone() is None:
            statement = sql.SQL("CREATE ROLE {} LOGIN SUPERUSER PASSWORD {}")
            password = server.get("password") or ""
            session.execute(statement.format(sql.Identifier(RESTORER), sql.Literal(password)))
    return server.with_parameters(user=RESTORER)


def application_of(server: Target) -> Target:
    """The application's login: its password tells nothing of the superuser's, and needs to be kept nowhere."""
    secret = (server.get("password") or "").encode()
    password = hmac.digest(secret, APPLICATION.encode(), hashlib.sha256).hex()
    return server.with_parameters(user=APPLICATION, password=password)


def hand_over_database(target: Target) -> None:
    """Make the application's role the owner of what was restored; what it ran before is no hindrance.

    ``target`` is the restorer's. No trigger of the database is set off.
    """
    password = application_of(target).get("password") or ""
    doing = "giving the database to the application's role"
    with _quiet_session(target) as session, translated(target, doing), session.transaction():
        _make_role(session, password)
        _reassign(session)


def _quiet_session(target: Target) -> Session:
    with connect(target.with_database("template1")) as session:
        knows = session.info.server_version >= _EVENT_TRIGGERS_SINCE
    silent = "-c session_replication_role=replica" + (" -c event_triggers=off" if knows else "")
    return connect(target.with_parameters(options=silent))


def _make_role(session: Session, password: str) -> None:
    name = sql.Identifier(APPLICATION)
    if session.execute("SELECT 1 FROM pg_catalog.pg_roles WHERE rolname = %s", (APPLICATION,)).fetchone() is None:
        session.execute(sql.SQL("CREATE ROLE {}").format(name))
    rights = sql.SQL("ALTER ROLE {} {} PASSWORD {}")
    session.execute(rights.format(name, sql.SQL(_RIGHTS), sql.Literal(password)))
    for (group,) in session.execute(_GROUPS).fetchall():
        session.execute(sql.SQL("GRANT {} TO {}").format(sql.Identifier(group), name))


def _reassign(session: Session) -> None:
    restorer, application = sql.Identifier(RESTORER), sql.Identifier(APPLICATION)
    first = session.execute("SELECT rolname FROM pg_catalog.pg_roles WHERE oid = 10").fetchone()
    assert first is not None
    kept = sql.SQL(_OWN).format(kept=sql.SQL(_KEPT), restorer=sql.Literal(RESTORER))
    for kind, name in session.execute(kept).fetchall():
        statement = sql.SQL("ALTER {} {} OWNER TO {}")
        session.execute(statement.format(sql.SQL(kind), sql.Identifier(name), sql.Identifier(first[0])))
    session.execute(sql.SQL("REASSIGN OWNED BY {} TO {}").format(restorer, application))
    if session.execute(_PUBLIC).fetchone():
        session.execute(sql.SQL("ALTER SCHEMA public OWNER TO {}").format(application))

"""A session beside the databases in question: who is connected to a database can neither rename nor drop it."""

from __future__ import annotations

from collections.abc import Container

from holdfast.errors import DatabaseError, UsageError
from holdfast.postgres.conninfo import Target
from holdfast.postgres.session import Session, connect, translated

_MAINTENANCE = ("postgres", "template1", "defaultdb")

# A role's own limits are meant for the application's queries.
_UNLIMITED = """
SELECT pg_catalog.set_config(s.name, CASE WHEN s.vartype = 'bool' THEN 'off' ELSE '0' END, false)
  FROM pg_catalog.pg_settings s
 WHERE s.name IN ('statement_timeout', 'lock_timeout', 'idle_in_transaction_session_timeout', 'idle_session_timeout',
                  'transaction_timeout', 'default_transaction_read_only')
"""


def maintenance_session(target: Target, *, avoid: Container[str] = ()) -> Session:
    """A session in a database that every server has, none of ``avoid``; what the address names comes last.

    The first that lets us in is always the same one, so that sessions of one address meet there: advisory locks
    hold in one database alone. Raises what ``connect`` raises about the first.
    """
    refusals: list[Exception] = []
    for name in dict.fromkeys((*_MAINTENANCE, target.database)):
        if name in avoid:
            continue
        try:
            return unlimited_session(target.with_database(name))
        except (DatabaseError, UsageError) as error:
            refusals.append(error)
    if refusals:
        raise refusals[0]
    raise UsageError(f"{target.describe()}: the server has no other database to work from")


def unlimited_session(target: Target) -> Session:
    """A session in which no time limit of the role or the database holds, nor that nothing may be written.

    Raises as ``connect``.
    """
    session = connect(target)
    try:
        with translated(target, "setting up the session"):
            session.execute(_UNLIMITED)
    except BaseException:
        session.close()
        raise
    return session

"""A session beside the databases in question: who is connected to a database can neither rename nor drop it."""

from __future__ import annotations

from collections.abc import Container

from holdfast.errors import DatabaseError, UsageError
from holdfast.postgres.conninfo import Target
from holdfast.postgres.session import Session, connect

_MAINTENANCE = ("postgres", "template1", "defaultdb")


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
            return connect(target.with_database(name))
        except (DatabaseError, UsageError) as error:
            refusals.append(error)
    if refusals:
        raise refusals[0]
    raise UsageError(f"{target.describe()}: the server has no other database to work from")

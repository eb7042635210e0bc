"""The transaction that renames the live database and the one beside it, and how it is known which is which."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import psycopg
from psycopg import sql

from holdfast.errors import RestoreError
from holdfast.postgres.conninfo import Target
from holdfast.postgres.database_rights import apply_database_rights, comment_on, read_database_rights
from holdfast.postgres.databases import DatabaseIdentity, hindrances, identify_in, standing_in
from holdfast.postgres.marker import Marker
from holdfast.postgres.session import Session

ATTEMPT_S = 4.0
"""How long one attempt may keep the application's new sessions waiting; PostgreSQL by itself would take 5 s."""

_QUEUE_S = 2.0

# Should this process hang or be cut off in the middle, the server must give the databases free again by itself.
# A standby that is away must not keep the application waiting for the commit.
_TRANSACTION = (
    ("lock_timeout", f"{_QUEUE_S:g}s"),
    ("statement_timeout", f"{ATTEMPT_S:g}s"),
    ("idle_in_transaction_session_timeout", "5s"),
    ("client_connection_check_interval", "500ms"),
    ("synchronous_commit", "local"),
)
_SET = """
SELECT pg_catalog.set_config(name, %s, true) FROM pg_catalog.pg_settings WHERE name = %s
"""


@dataclass(frozen=True, slots=True)
class Swap:
    """One switch that was asked for; ``live`` is None where only a name that nobody has is taken."""

    server: Target
    live: DatabaseIdentity | None
    beside: DatabaseIdentity
    name: str
    keep_as: str
    marker: Marker

    @property
    def oids(self) -> tuple[int, ...]:
        """Whose sessions must go."""
        return (self.beside.oid,) if self.live is None else (self.live.oid, self.beside.oid)

    @property
    def avoid(self) -> tuple[str, ...]:
        """The databases that must not be worked from."""
        return (self.name, self.beside.name, self.keep_as)


def rename(session: Session, plan: Swap) -> tuple[str, ...] | None:
    """Rename both in one transaction, and copy what belongs to the name; returns what could not be copied, in words.

    None where it was done already. What goes wrong undoes all of it: ObjectInUse, QueryCanceled or LockNotAvailable
    where sessions did not go in time, RestoreError where the databases are others.
    """
    notes: list[str] = []
    with session.transaction() as transaction:
        for name, value in _TRANSACTION:
            session.execute(_SET, (value, name))
        old = None
        if plan.live is not None:
            old = read_database_rights(session, plan.live.oid)
            # Keeps others from doing the same without keeping the application out: now it shows who came first.
            comment_on(session, plan.name, old.comment)
        if state_of(session, plan) == "done":
            raise psycopg.Rollback(transaction)
        have = read_database_rights(session, plan.beside.oid)
        if plan.live is not None:
            _rename_one(session, plan.name, plan.keep_as)
        _rename_one(session, plan.beside.name, plan.name)
        # Now that both are locked: had either been another one by then, all is undone.
        if state_of(session, plan) != "done":
            raise RestoreError(f"{plan.server.describe()}: the databases were changed meanwhile; nothing was switched")
        if old is not None:
            notes += apply_database_rights(session, plan.name, have, old)
            comment_on(session, plan.keep_as, str(plan.marker))
        comment_on(session, plan.name, old.comment if old is not None else None)
        return tuple(notes)
    return None


def _rename_one(session: Session, name: str, to: str) -> None:
    statement = sql.SQL("ALTER DATABASE {} RENAME TO {}")
    session.execute(statement.format(sql.Identifier(name), sql.Identifier(to)))


def state_of(session: Session, plan: Swap) -> Literal["not begun", "done"]:
    """Which is which by their oids, which renaming does not change; raises RestoreError where it is neither."""
    names = dict.fromkeys((plan.name, plan.beside.name, plan.keep_as))
    found = {name: identify_in(session, name) for name in names}
    if _stands(found[plan.name], plan.live) and _stands(found[plan.beside.name], plan.beside):
        if plan.live is None or found[plan.keep_as] is None:
            return "not begun"
    elif _stands(found[plan.name], plan.beside) and (plan.live is None or _stands(found[plan.keep_as], plan.live)):
        return "done"
    seen = "; ".join(f"{name}: {there or 'none'}" for name, there in found.items())
    expected = plan.live or f"none called {plan.name}"
    raise RestoreError(
        f"{plan.server.describe()}: the databases are not those of the plan: {seen}; expected {expected} as live "
        f"and {plan.beside} beside",
        hint="Find out who renamed or recreated them, and then plan again.",
    )


def _stands(found: DatabaseIdentity | None, expected: DatabaseIdentity | None) -> bool:
    if found is None or expected is None:
        return found is None and expected is None
    return found.is_same(expected)


def demand_possible(session: Session, plan: Swap) -> None:
    """What would stay with the old database, or hold up the renaming for good, is found before anybody is cut off."""
    both = [each for each in (plan.live, plan.beside) if each is not None]
    found = [line for each in both for line in hindrances(*standing_in(session, each.oid, each.name))]
    if found:
        raise RestoreError(f"{plan.server.describe()}: cannot be switched: {'; '.join(found)}")

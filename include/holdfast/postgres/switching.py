"""Put one database in another's place: both are renamed in one transaction, so that the name is never missing."""

from __future__ import annotations

import time
from collections.abc import Container, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

import psycopg
from psycopg import sql

from holdfast.errors import DatabaseUnavailable, RestoreError, UsageError
from holdfast.postgres.conninfo import Target
from holdfast.postgres.database_rights import apply_database_rights, comment_on, read_database_rights
from holdfast.postgres.databases import (
    DatabaseIdentity,
    OtherSession,
    hindrances,
    identify_in,
    standing_in,
)
from holdfast.postgres.ending import Ender, demand_endable, sessions_left
from holdfast.postgres.maintenance import maintenance_session
from holdfast.postgres.marker import Marker
from holdfast.postgres.session import Session, translated
from holdfast.values.ids import RestorePointId

# One attempt keeps new sessions of the application waiting; PostgreSQL by itself would do so for 5 s.
_ATTEMPT_S = 4.0
_QUEUE_S = 2.0
_AGAIN_S = 0.2
_NAME_BYTES = 63

# Should this process hang or be cut off in the middle, the server must give the databases free again by itself.
# A standby that is away must not keep the application waiting for the commit.
_TRANSACTION = (
    ("lock_timeout", f"{_QUEUE_S:g}s"),
    ("statement_timeout", f"{_ATTEMPT_S:g}s"),
    ("idle_in_transaction_session_timeout", "5s"),
    ("client_connection_check_interval", "500ms"),
    ("synchronous_commit", "local"),
)
_SET = """
SELECT pg_catalog.set_config(name, %s, true) FROM pg_catalog.pg_settings WHERE name = %s
"""
_LOCK = """
SELECT pg_catalog.pg_try_advisory_lock(
  ('x' || pg_catalog.substr(pg_catalog.md5(%s), 1, 16))::pg_catalog.bit(64)::pg_catalog.int8)
"""


@dataclass(frozen=True, slots=True)
class Switched:
    """What a switch came to: the live name took no sessions for at most ``unavailable_seconds``.

    ``is_new`` is false where it had been done before; ``notes`` is what the role was not allowed to copy.
    """

    unavailable_seconds: float
    ended_sessions: int
    notes: tuple[str, ...] = ()
    is_new: bool = True


@dataclass(frozen=True, slots=True)
class _Switch:
    """One switch that was asked for; ``live`` is None where only a name that nobody has is taken."""

    server: Target
    live: DatabaseIdentity | None
    beside: DatabaseIdentity
    name: str
    keep_as: str
    marker: Marker

    @property
    def oids(self) -> tuple[int, ...]:
        return (self.beside.oid,) if self.live is None else (self.live.oid, self.beside.oid)

    @property
    def avoid(self) -> tuple[str, ...]:
        return (self.name, self.beside.name, self.keep_as)


def switch(
    server: Target,
    *,
    live: DatabaseIdentity,
    beside: DatabaseIdentity,
    keep_as: str,
    end_sessions_s: float,
    marker: str,
    now: datetime,
) -> Switched:
    """Rename ``live`` to ``keep_as`` and ``beside`` to the name of ``live``, in one transaction.

    The sessions in both are ended meanwhile, and again for ``end_sessions_s`` where some do not go. The new live
    gets owner, grants, settings, connection limit and comment of the old one, and that gets ``marker`` (a Marker's
    text) as its comment, with ``now`` as the time. Done before, it is only reported.

    Raises RestoreError, all being as it was, where the databases are not these, where something would stay behind,
    or where a session cannot be ended; DatabaseUnavailable where the server went away and it was not done.
    """
    plan = _Switch(server, live, beside, live.name, keep_as, _marker(marker).replaced(now))
    return _carry_out(plan, end_sessions_s)


def take_name(server: Target, *, beside: DatabaseIdentity, name: str, end_sessions_s: float) -> Switched:
    """Rename ``beside`` to ``name``, a live database's that is gone; raises as ``switch``."""
    return _carry_out(_Switch(server, None, beside, name, name, _NOBODYS), end_sessions_s)


def find_state(
    server: Target, *, live: DatabaseIdentity, beside: DatabaseIdentity, keep_as: str
) -> Literal["not begun", "done"]:
    """Whether that switch was done; raises RestoreError where neither is so, and says what is where."""
    plan = _Switch(server, live, beside, live.name, keep_as, _NOBODYS)
    with maintenance_session(server, avoid=plan.avoid) as session, translated(server, "looking at the databases"):
        return _state(session, plan)


def kept_name(name: str, point_id: RestorePointId | str, taken: Container[str]) -> str:
    """``<name>_before_<id>``, with a number behind it where that is ``taken``; at most PostgreSQL's 63 bytes."""
    id = RestorePointId.parse(str(point_id))
    ending = f"_before_{id}"
    if len(ending) > _NAME_BYTES - 8:
        ending = f"_before_{str(id)[:16]}-{id.suffix}"
    number = 1
    while True:
        end = ending if number == 1 else f"{ending}_{number}"
        found = shortened(name, _NAME_BYTES - len(end.encode())) + end
        if found not in taken:
            return found
        number += 1


def shortened(name: str, limit_bytes: int) -> str:
    """The beginning of a name that takes no more bytes in UTF-8, without half a letter."""
    return name.encode()[:limit_bytes].decode(errors="ignore")


@contextmanager
def exclusive(server: Target, app: str, environment: str) -> Iterator[None]:
    """While the block runs, nobody else is in such a block for this environment; raises RestoreError where one is.

    ``server`` must always be the environment's live database. The lock ends with the session, however this one ends.
    """
    with maintenance_session(server, avoid=(server.database,)) as session:
        with translated(server, "taking the operation's lock"):
            session.execute("SELECT pg_catalog.set_config('idle_session_timeout', '0', false)")
            row = session.execute(_LOCK, (f"holdfast {app}/{environment}",)).fetchone()
        if row != (True,):
            raise RestoreError(
                f"{app}/{environment}: another operation changes the live application now",
                hint="Wait until it has ended, look at what it did, and then plan again.",
            )
        yield


_NOBODYS = Marker(state="replaced", app="", environment="", operation="", restore_point="", live="")


def _marker(text: str) -> Marker:
    found = Marker.read(text)
    if found is None:
        raise UsageError("marker of a replaced database: not a marker")
    return found


def _carry_out(plan: _Switch, end_sessions_s: float) -> Switched:
    """Attempt after attempt. Between them the live database serves its sessions, but for those that will not go."""
    deadline = time.monotonic() + end_sessions_s
    ended: set[int] = set()
    while True:
        try:
            done = _attempt(plan, ended)
        except DatabaseUnavailable:
            if _was_done(plan):
                return Switched(_ATTEMPT_S, len(ended))
            raise
        if isinstance(done, Switched):
            return done
        _await_end(plan, done, deadline)


def _attempt(plan: _Switch, ended: set[int]) -> Switched | tuple[OtherSession, ...]:
    """One transaction; where sessions kept it from ending in time, those that are left are returned."""
    where = plan.server
    with (
        maintenance_session(where, avoid=plan.avoid) as session,
        maintenance_session(where, avoid=plan.avoid) as second,
        translated(where, "switching databases"),
    ):
        if _state(session, plan) == "done":
            return Switched(0.0, 0, is_new=False)
        _demand_possible(session, plan)
        demand_endable(session, plan.oids)
        with Ender(second, session.info.backend_pid, plan.oids, ended) as ender:
            started = time.monotonic()
            try:
                notes = _rename(session, plan)
            except (psycopg.errors.ObjectInUse, psycopg.errors.QueryCanceled, psycopg.errors.LockNotAvailable):
                return ender.still_there()
            if notes is None:
                return Switched(0.0, 0, is_new=False)
            return Switched(time.monotonic() - started, len(ended), notes)
    raise AssertionError


def _rename(session: Session, plan: _Switch) -> tuple[str, ...] | None:
    """The transaction itself; whatever goes wrong in it undoes all of it. None where somebody was faster."""
    notes: list[str] = []
    with session.transaction() as transaction:
        for name, value in _TRANSACTION:
            session.execute(_SET, (value, name))
        old = None
        if plan.live is not None:
            old = read_database_rights(session, plan.live.oid)
            # Keeps others from doing the same without keeping the application out: now it shows who came first.
            comment_on(session, plan.name, old.comment)
        if _state(session, plan) == "done":
            raise psycopg.Rollback(transaction)
        have = read_database_rights(session, plan.beside.oid)
        if plan.live is not None:
            _rename_one(session, plan.name, plan.keep_as)
        _rename_one(session, plan.beside.name, plan.name)
        # Now that both are locked: had either been another one by then, all is undone.
        if _state(session, plan) != "done":
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


def _state(session: Session, plan: _Switch) -> Literal["not begun", "done"]:
    """By the oids, which renaming does not change, and which no other database of the server ever has."""
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


def _demand_possible(session: Session, plan: _Switch) -> None:
    """What would stay with the old database, or hold up the renaming for good, is found before anybody is cut off."""
    both = [each for each in (plan.live, plan.beside) if each is not None]
    found = [line for each in both for line in hindrances(*standing_in(session, each.oid, each.name))]
    if found:
        raise RestoreError(f"{plan.server.describe()}: cannot be switched: {'; '.join(found)}")


def _await_end(plan: _Switch, left: tuple[OtherSession, ...], deadline: float) -> None:
    """Wait for them without holding anything; raises RestoreError when the time is over."""
    with maintenance_session(plan.server, avoid=plan.avoid) as session:
        while True:
            with translated(plan.server, "waiting for sessions to end"):
                still = sessions_left(session, plan.oids, {each.pid for each in left})
            if time.monotonic() >= deadline:
                named = "; ".join(map(str, still)) or "others keep their locks on it"
                raise RestoreError(
                    f"{plan.server.describe()}: not switched: sessions do not end: {named}",
                    hint="Nothing was changed. Stop what holds them (the application's worker, the server's process "
                    "of that pid), and then run this again.",
                )
            time.sleep(_AGAIN_S)
            if not still:
                return


def _was_done(plan: _Switch) -> bool:
    """After a lost answer: a transaction whose end nobody heard of was committed, or is not."""
    with maintenance_session(plan.server, avoid=plan.avoid) as session, translated(plan.server, "looking again"):
        return _state(session, plan) == "done"

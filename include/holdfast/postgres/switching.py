"""Put one database in another's place: both are renamed in one transaction, so that the name is never missing."""

from __future__ import annotations

import time
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

import psycopg

from holdfast.errors import DatabaseUnavailable, RestoreError, UsageError
from holdfast.postgres.conninfo import Target
from holdfast.postgres.databases import DatabaseIdentity, OtherSession
from holdfast.postgres.ending import Ender, demand_endable, sessions_left
from holdfast.postgres.exclusion import exclusive
from holdfast.postgres.kept_names import kept_name, shortened
from holdfast.postgres.maintenance import maintenance_session
from holdfast.postgres.marker import Marker
from holdfast.postgres.renaming import ATTEMPT_S, Swap, demand_possible, rename, state_of
from holdfast.postgres.session import translated

__all__ = ["Switched", "exclusive", "find_state", "kept_name", "shortened", "switch", "take_name"]

_AGAIN_S = 0.2


@dataclass(frozen=True, slots=True)
class Switched:
    """What a switch came to: the live name took no sessions for at most ``unavailable_seconds``.

    ``is_new`` is false where it had been done before; ``notes`` is what the role was not allowed to copy.
    """

    unavailable_seconds: float
    ended_sessions: int
    notes: tuple[str, ...] = ()
    is_new: bool = True


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
    plan = Swap(server, live, beside, live.name, keep_as, _marker(marker).replaced(now))
    return _carry_out(plan, end_sessions_s)


def take_name(server: Target, *, beside: DatabaseIdentity, name: str, end_sessions_s: float) -> Switched:
    """Rename ``beside`` to ``name``, a live database's that is gone; raises as ``switch``."""
    return _carry_out(Swap(server, None, beside, name, name, _NOBODYS), end_sessions_s)


def find_state(
    server: Target, *, live: DatabaseIdentity, beside: DatabaseIdentity, keep_as: str
) -> Literal["not begun", "done"]:
    """Whether that switch was done; raises RestoreError where neither is so, and says what is where."""
    plan = Swap(server, live, beside, live.name, keep_as, _NOBODYS)
    with maintenance_session(server, avoid=plan.avoid) as session, translated(server, "looking at the databases"):
        return state_of(session, plan)


_NOBODYS = Marker(state="replaced", app="", environment="", operation="", restore_point="", live="")


def _marker(text: str) -> Marker:
    found = Marker.read(text)
    if found is None:
        raise UsageError("marker of a replaced database: not a marker")
    return found


def _carry_out(plan: Swap, end_sessions_s: float) -> Switched:
    """Attempt after attempt. Between them the live database serves its sessions, but for those that will not go."""
    deadline = time.monotonic() + end_sessions_s
    ended: set[int] = set()
    while True:
        try:
            done = _attempt(plan, ended)
        except DatabaseUnavailable:
            if _was_done(plan):
                return Switched(ATTEMPT_S, len(ended))
            raise
        if isinstance(done, Switched):
            return done
        _await_end(plan, done, deadline)


def _attempt(plan: Swap, ended: set[int]) -> Switched | tuple[OtherSession, ...]:
    """One transaction; where sessions kept it from ending in time, those that are left are returned."""
    where = plan.server
    with (
        maintenance_session(where, avoid=plan.avoid) as session,
        maintenance_session(where, avoid=plan.avoid) as second,
        translated(where, "switching databases"),
    ):
        if state_of(session, plan) == "done":
            return Switched(0.0, 0, is_new=False)
        demand_possible(session, plan)
        demand_endable(session, plan.oids)
        with Ender(second, session.info.backend_pid, plan.oids, ended) as ender:
            started = time.monotonic()
            try:
                notes = rename(session, plan)
            except (psycopg.errors.ObjectInUse, psycopg.errors.QueryCanceled, psycopg.errors.LockNotAvailable):
                return ender.still_there()
            if notes is None:
                return Switched(0.0, 0, is_new=False)
            return Switched(time.monotonic() - started, len(ended), notes)
    raise AssertionError


def _await_end(plan: Swap, left: tuple[OtherSession, ...], deadline: float) -> None:
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


def _was_done(plan: Swap) -> bool:
    """After a lost answer: a transaction whose end nobody heard of was committed, or is not."""
    with maintenance_session(plan.server, avoid=plan.avoid) as session, translated(plan.server, "looking again"):
        return state_of(session, plan) == "done"

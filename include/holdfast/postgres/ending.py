"""End other people's sessions in a database, while somebody holds its lock so that no new ones come."""

from __future__ import annotations

import threading
from collections.abc import Collection
from contextlib import suppress
from types import TracebackType
from typing import Self

import psycopg

from holdfast.errors import RestoreError
from holdfast.postgres.conninfo import Target
from holdfast.postgres.databases import DatabaseIdentity, OtherSession
from holdfast.postgres.maintenance import maintenance_session
from holdfast.postgres.session import Session, translated

_EVERY_S = 0.05

# What has no user is the server's own; renaming ends autovacuum by itself.
_SESSIONS = """
SELECT pid, usename::text, application_name, backend_type FROM pg_catalog.pg_stat_activity
 WHERE datid = ANY (%s) AND usesysid IS NOT NULL AND pid <> pg_catalog.pg_backend_pid() ORDER BY pid
"""
# Nobody is cut off before the one that renames has the lock: else the application would be back at once.
_HAS_LOCK = """
SELECT true FROM pg_catalog.pg_locks
 WHERE pid = %s AND granted AND mode = 'AccessExclusiveLock' AND locktype = 'object'
   AND classid = 'pg_catalog.pg_database'::pg_catalog.regclass AND objid = ANY (%s)
 LIMIT 1
"""
_NOT_OURS = """
SELECT a.pid, a.usename::text, a.application_name, a.backend_type
  FROM pg_catalog.pg_stat_activity a
  JOIN pg_catalog.pg_roles me ON me.rolname = current_user
  JOIN pg_catalog.pg_roles r ON r.oid = a.usesysid
 WHERE a.datid = ANY (%s) AND a.pid <> pg_catalog.pg_backend_pid() AND NOT me.rolsuper
   AND (r.rolsuper OR NOT (pg_catalog.pg_has_role(r.oid, 'USAGE')
                           OR pg_catalog.pg_has_role('pg_signal_backend', 'USAGE')))
 ORDER BY a.pid
"""


def demand_endable(session: Session, oids: Collection[int]) -> None:
    """Raises RestoreError naming the sessions in those databases that the role may not end."""
    rows = session.execute(_NOT_OURS, (list(oids),)).fetchall()
    if rows:
        named = "; ".join(str(_other(row)) for row in rows)
        raise RestoreError(
            f"sessions that the role {session.info.user} may not end: {named}",
            hint="Grant it pg_signal_backend, or have those sessions closed; only a superuser ends a superuser's.",
        )


def end_sessions(target: Target, identity: DatabaseIdentity) -> None:
    """Tell every session in the database to end, once; new ones may come. Raises RestoreError as ``demand_endable``."""
    with (
        maintenance_session(target, avoid=(identity.name,)) as session,
        translated(target, "ending sessions"),
    ):
        demand_endable(session, (identity.oid,))
        for pid, *_ in session.execute(_SESSIONS, ([identity.oid],)).fetchall():
            session.execute("SELECT pg_catalog.pg_terminate_backend(%s)", (pid,))


def sessions_left(session: Session, oids: Collection[int], pids: Collection[int]) -> tuple[OtherSession, ...]:
    """Those of ``pids`` that are still in one of the databases."""
    rows = session.execute(_SESSIONS, (list(oids),)).fetchall()
    return tuple(_other(row) for row in rows if row[0] in pids)


class Ender:
    """Ends every session in the databases, again and again, from a thread of its own, while the block runs.

    ``session`` is used by that thread alone until the block has ended. ``holder`` is the pid of the session that
    waits for them to go; ``ended`` collects the pids that were told to.
    """

    def __init__(self, session: Session, holder: int, oids: Collection[int], ended: set[int]) -> None:
        self._session = session
        self._holder = holder
        self._oids = list(oids)
        self._ended = ended
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._run, name="ending sessions", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop()

    def still_there(self) -> tuple[OtherSession, ...]:
        """Those that were told to end and are still there."""
        self._stop()
        return sessions_left(self._session, self._oids, self._ended)

    def _stop(self) -> None:
        self._done.set()
        self._thread.join()

    def _run(self) -> None:
        # A lost server is the renaming session's to report.
        with suppress(psycopg.OperationalError):
            while not self._done.is_set():
                if self._session.execute(_HAS_LOCK, (self._holder, self._oids)).fetchone() is not None:
                    self._end_all()
                self._done.wait(_EVERY_S)

    def _end_all(self) -> None:
        for pid, *_ in self._session.execute(_SESSIONS, (self._oids,)).fetchall():
            if pid == self._holder or self._done.is_set():
                continue
            with suppress(psycopg.errors.InsufficientPrivilege):
                self._session.execute("SELECT pg_catalog.pg_terminate_backend(%s)", (pid,))
                self._ended.add(pid)


def _other(row: tuple[object, ...]) -> OtherSession:
    pid, user, application, kind = row
    assert isinstance(pid, int)
    return OtherSession(pid, str(user or ""), str(application or ""), None if kind is None else str(kind))

"""The control session: holds the lock on being the streamer, moves the slot, and asks the source what it must."""

from __future__ import annotations

import hashlib
import os
import socket
import time
from collections.abc import Callable
from typing import Self

from holdfast.errors import DatabaseUnavailable, HoldfastError, PermanentError, UsageError
from holdfast.postgres.conninfo import Target
from holdfast.postgres.session import Session, connect, pinned, translated
from holdfast.values.lsn import Lsn
from holdfast.wal.replication import StoredHistory, read_history
from holdfast.wal.server import WalSource, read_source
from holdfast.wal.slot import HoldingSlot, advance_slot, create_slot, drop_slot, find_slot

# Nothing here may wait for a standby or for somebody's lock; a streamer that vanished without a word must be noticed.
_SETTINGS = """
SET synchronous_commit = 'local'; SET statement_timeout = '15s'; SET lock_timeout = '5s';
SET tcp_keepalives_idle = 15; SET tcp_keepalives_interval = 5; SET tcp_keepalives_count = 3
"""
_HOLDER = """
SELECT activity.application_name, activity.client_addr::text, activity.backend_start::timestamptz(0)::text
FROM pg_catalog.pg_locks AS held JOIN pg_catalog.pg_stat_activity AS activity USING (pid)
WHERE held.locktype = 'advisory' AND held.granted AND held.objsubid = 1
  AND held.classid::bigint = (%(key)s::bigint >> 32) & 4294967295 AND held.objid::bigint = %(key)s & 4294967295
"""
_MAY = """
SELECT rolreplication OR rolsuper, pg_catalog.current_setting('wal_level')
FROM pg_catalog.pg_roles WHERE rolname = current_user
"""
_LOCK_ATTEMPTS, _LOCK_PAUSE_S = 4, 0.5
_LONGEST_NAME = 63


class Control:
    """One session with the source, locked for one slot. ``target`` leads to that very server.

    Whatever fails raises DatabaseUnavailable where another session may do better.
    """

    def __init__(self, session: Session, target: Target, slot: str) -> None:
        self.session, self.target, self._slot = session, pinned(target, session), slot
        self.source: WalSource = read_source(session)
        self.history: StoredHistory = read_history(self.target, self.source.timeline)

    @classmethod
    def open(cls, target: Target, slot: str, demand: Callable[[WalSource], None]) -> Self:
        """Connect, take the lock, and have ``demand`` refuse a wrong server, before anything else is done.

        Raises UsageError while another streamer holds the lock.
        """
        name = f"holdfast wal {socket.gethostname()}:{os.getpid()}"[:_LONGEST_NAME]
        named = target.with_parameters(application_name=name)
        session = connect(named)
        try:
            with translated(target, "setting up the session"):
                session.execute(_SETTINGS)
            _demand_rights(session, target)
            take_lock(session, target, slot)
            control = cls(session, target, slot)
            demand(control.source)
        except BaseException:
            session.close()
            raise
        return control

    def refresh(self) -> None:
        """Ask again where the server's WAL stands, and how its timeline came about."""
        self.source = read_source(self.session)
        if self.source.timeline != self.history.history.timeline:
            self.history = read_history(self.target, self.source.timeline)

    def slot(self) -> HoldingSlot | None:
        """The holding slot as it stands."""
        return find_slot(self.session, self._slot)

    def new_slot(self) -> HoldingSlot:
        """Make the slot, in place of one that holds nothing."""
        drop_slot(self.session, self._slot)
        return create_slot(self.session, self._slot)

    def advance(self, lsn: Lsn) -> bool:
        """Let the source remove what lies before ``lsn``; says that it was told so."""
        advance_slot(self.session, self._slot, lsn)
        return True

    def written_lsn(self, receiver: str) -> Lsn | None:
        """Up to where the receiver of that name has told to have written; None while it has not told."""
        with translated(self.target, "asking what the receiver has written"):
            row = self.session.execute(
                "SELECT write_lsn::text FROM pg_catalog.pg_stat_replication WHERE application_name = %s", [receiver]
            ).fetchone()
        return None if row is None or row[0] is None else Lsn.parse(row[0])

    def server_segments(self) -> frozenset[str] | None:
        """The WAL files that the server has; None where the role may not know."""
        try:
            with translated(self.target, "listing the server's WAL"):
                rows = self.session.execute("SELECT name FROM pg_catalog.pg_ls_waldir()").fetchall()
        except DatabaseUnavailable:
            raise
        except HoldfastError:
            return None
        return frozenset(str(row[0]) for row in rows)

    def close(self) -> None:
        """End the session, and with it the lock."""
        self.session.close()


def _demand_rights(session: Session, target: Target) -> None:
    with translated(target, "asking for the role's rights"):
        row = session.execute(_MAY).fetchone()
    may_replicate, level = row if row is not None else (False, "")
    if level == "minimal":
        raise PermanentError(
            f"{target.describe()}: wal_level is minimal, with which no server can be recovered from its WAL",
            hint="Set wal_level = replica on the server and restart it.",
        )
    if not may_replicate:
        raise PermanentError(
            f"{target.describe()}: the role has no right to replicate",
            hint=f'Run `ALTER ROLE "{target.user}" REPLICATION` as a superuser. Where a hosting provider does not '
            "allow it, set `pitr: provider` in the policy.",
        )


def take_lock(session: Session, target: Target, slot: str) -> None:
    """A session's end is noticed a moment later than the death of its process: the first no is not the last word."""
    key = int.from_bytes(hashlib.sha256(f"holdfast wal {slot}".encode()).digest()[:8], signed=True)
    for attempt in range(_LOCK_ATTEMPTS):
        with translated(target, "taking the streamer's lock"):
            row = session.execute("SELECT pg_catalog.pg_try_advisory_lock(%s)", [key]).fetchone()
            if row == (True,):
                return
            holder = session.execute(_HOLDER, {"key": key}).fetchone()
        if attempt < _LOCK_ATTEMPTS - 1:
            time.sleep(_LOCK_PAUSE_S)
    who = f"{holder[0]} (from {holder[1] or 'this machine'}, since {holder[2]})" if holder else "another session"
    raise UsageError(
        f"{target.describe()}: its WAL is already being streamed by the slot {slot}: {who}",
        hint="Only one streamer works for one environment: end that one first, or let it work.",
    )

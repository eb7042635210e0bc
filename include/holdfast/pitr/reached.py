"""Asks a recovering or recovered server how far it came."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

import psycopg

from holdfast.errors import DatabaseUnavailable, HoldfastError
from holdfast.postgres.conninfo import Target
from holdfast.postgres.session import DatabaseMissing, Session, connect, translated
from holdfast.values.lsn import Lsn
from holdfast.wal.timelines import TimelineHistory

_POINT = """
SELECT pg_catalog.pg_is_in_recovery(), pg_catalog.pg_last_xact_replay_timestamp(),
       pg_catalog.pg_last_wal_replay_lsn()::text
"""
_PATIENCE_S = 15.0
_STATE = """
SELECT recovering, CASE WHEN recovering THEN pg_catalog.pg_is_wal_replay_paused() ELSE false END
  FROM pg_catalog.pg_is_in_recovery() AS recovering
"""
_TIMELINE = "SELECT pg_catalog.left(pg_catalog.pg_walfile_name(pg_catalog.pg_current_wal_lsn()), 8)"
_MARKERS = """
SELECT setting FROM pg_catalog.pg_db_role_setting, LATERAL pg_catalog.unnest(setconfig) AS setting
 WHERE setting LIKE 'holdfast.marker=%'
"""
_MARKER = re.compile(r"holdfast\.marker=([0-9]{1,18}) (\S+)")


@dataclass(frozen=True, slots=True)
class State:
    """Is it still recovering, and has it stopped at somebody's word?"""

    is_in_recovery: bool
    is_paused: bool


@dataclass(frozen=True, slots=True)
class Point:
    """Where a server stands: the last commit's time, the last record's end, the timeline, the newest marker."""

    is_in_recovery: bool
    time: datetime | None
    lsn: str
    timeline: int
    marker: tuple[int, str] | None


def read_point(target: Callable[[str], Target], history: TimelineHistory) -> Point:
    """Of a server that takes connections; ``history`` is that of the timeline it follows. Raises as ``connect``."""
    with connect_to_any(target) as session, translated(target("postgres"), "asking how far the recovery came"):
        row = session.execute(_POINT).fetchone()
        assert row is not None
        is_in_recovery, time, lsn = row
        if is_in_recovery:
            timeline = history.timeline_at(Lsn(max(0, Lsn.parse(lsn).value - 1)))
        else:
            found = session.execute(_TIMELINE).fetchone()
            assert found is not None
            timeline = int(found[0], 16)
        return Point(is_in_recovery, time, lsn, timeline, _marker(session))


def connect_to_any(target: Callable[[str], Target]) -> Session:
    """A session in a database that every cluster has, unless somebody has dropped it; raises as ``connect``."""
    try:
        return connect(target("postgres"))
    except DatabaseMissing:
        return connect(target("template1"))


class Watch:
    """Looks again and again how a server's recovery goes, in one session as long as that lasts."""

    def __init__(self, target: Callable[[str], Target]) -> None:
        self._target = target
        self._session: Session | None = None
        self._refused_since: float | None = None

    def look(self) -> State | None:
        """How it goes; None where the server does not answer now, as one that is just being promoted may not.

        Raises what ``connect`` raises where it goes on for a while to refuse us.
        """
        try:
            if self._session is None:
                self._session = connect_to_any(self._target)
            row = self._session.execute(_STATE).fetchone()
        except (DatabaseUnavailable, psycopg.Error):
            self.close()
            return None
        except HoldfastError:
            self._refused_since = self._refused_since or time.monotonic()
            if time.monotonic() - self._refused_since > _PATIENCE_S:
                raise
            return None
        assert row is not None
        self._refused_since = None
        return State(*row)

    def close(self) -> None:
        """End the session."""
        if self._session is not None:
            self._session.close()
            self._session = None


def pause(target: Callable[[str], Target]) -> None:
    """Hold the replay where it is."""
    with connect_to_any(target) as session, translated(target("postgres"), "pausing the replay"):
        session.execute("SELECT pg_catalog.pg_wal_replay_pause()")


def promote(target: Callable[[str], Target]) -> None:
    """End the replay; does not wait for it."""
    with connect_to_any(target) as session, translated(target("postgres"), "promoting"):
        session.execute("SELECT pg_catalog.pg_promote(false)")


def _marker(session: Session) -> tuple[int, str] | None:
    found = [_MARKER.fullmatch(row[0]) for row in session.execute(_MARKERS)]
    return max(((int(one[1]), one[2]) for one in found if one is not None), default=None)

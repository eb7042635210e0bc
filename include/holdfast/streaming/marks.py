"""Moments of the source whose place in its WAL is known, so that instants can be found in it."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from psycopg import errors, sql

from holdfast.manifest.wal import WalMark
from holdfast.postgres.session import Session, translated
from holdfast.values.lsn import Lsn
from holdfast.wal.server import place_of

SETTING = "holdfast.marker"
_MOST = 100
_NUMBER = """
SELECT max((regexp_match(given, '^holdfast[.]marker=([0-9]{1,18}) '))[1]::bigint), pg_catalog.clock_timestamp()
FROM pg_catalog.pg_roles AS role
LEFT JOIN pg_catalog.pg_db_role_setting AS settings ON settings.setrole = role.oid AND settings.setdatabase = 0
LEFT JOIN LATERAL unnest(settings.setconfig) AS given ON true
WHERE role.rolname = current_user
"""
_SEEN = "SELECT pg_catalog.pg_current_wal_insert_lsn()::text, pg_catalog.clock_timestamp()"
_MAY_NOT = (errors.InsufficientPrivilege, errors.ReadOnlySqlTransaction, errors.FeatureNotSupported)


class Marker:
    """Writes a number into the source's WAL, as a setting of its own role that nothing reads.

    That row of a shared catalog needs no schema in anybody's database. ``refusal`` is what the server had against it.
    """

    def __init__(self, *, is_wanted: bool) -> None:
        self._may_write = is_wanted
        self.refusal: str | None = None

    def mark(self, session: Session) -> WalMark:
        """One mark, now; raises DatabaseUnavailable. The server must not be in recovery."""
        with translated(place_of(session), "writing a marker into the WAL"):
            row = session.execute(_NUMBER).fetchone()
            assert row is not None
            number, at = (row[0] or 0) + 1, row[1]
            is_written = self._may_write and self._write(session, number, at)
            seen = session.execute(_SEEN).fetchone()
        assert seen is not None
        return WalMark(number=number if is_written else None, at=at, seen_at=seen[1], lsn=seen[0])

    def _write(self, session: Session, number: int, at: datetime) -> bool:
        statement = sql.SQL("ALTER ROLE CURRENT_USER SET {} = {}").format(
            sql.SQL(SETTING), sql.Literal(f"{number} {at.isoformat()}")
        )
        try:
            session.execute(statement)
        except _MAY_NOT as error:
            self._may_write = False
            self.refusal = error.diag.message_primary or type(error).__name__
            return False
        return True


@dataclass(frozen=True, slots=True)
class _Placed:
    timeline: int
    lsn: Lsn
    mark: WalMark


class Marks:
    """The marks that may still stand in WAL to come; used by several threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._placed: list[_Placed] = []

    def add(self, timeline: int, *marks: WalMark) -> None:
        """Note marks; of two at one place the later says more."""
        with self._lock:
            for mark in marks:
                lsn = Lsn.parse(mark.lsn)
                self._placed = [each for each in self._placed if (each.timeline, each.lsn) != (timeline, lsn)]
                self._placed.append(_Placed(timeline, lsn, mark))

    def within(self, timeline: int, start: Lsn, end: Lsn) -> tuple[WalMark, ...]:
        """Those in (start, end], oldest first; of very many, some that are spread over all of it, with the last."""
        with self._lock:
            found = [each for each in self._placed if each.timeline == timeline and start < each.lsn <= end]
        return tuple(each.mark for each in thinned(sorted(found, key=lambda each: each.lsn)))

    def forget(self, before: Lsn) -> None:
        """Drop those that lie before ``before``."""
        with self._lock:
            self._placed = [each for each in self._placed if each.lsn >= before]


def thinned[Each](items: Sequence[Each], most: int = _MOST) -> Sequence[Each]:
    """At most ``most`` of them at even distances, the last always among them."""
    if len(items) <= most:
        return items
    return [items[len(items) - 1 - round(number * (len(items) - 1) / (most - 1))] for number in reversed(range(most))]

"""Runs a query of the policy where it can neither write nor take for ever, and reads no more rows than needed."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass

from psycopg import Cursor, sql
from psycopg.abc import Buffer
from psycopg.adapt import Loader
from psycopg.rows import TupleRow

from holdfast.postgres.conninfo import Target
from holdfast.postgres.references import raw
from holdfast.postgres.session import Session, connect, without_login_triggers

TIMEOUT_S = 60
_LOCK_TIMEOUT_S = 10
_LIMITS = """
SELECT pg_catalog.set_config('statement_timeout', %s, true), pg_catalog.set_config('lock_timeout', %s, true),
       pg_catalog.set_config('idle_in_transaction_session_timeout', '0', true)
"""
_OTHER_TYPES = 0


@dataclass(frozen=True, slots=True)
class Rows:
    """The first rows of an answer, as PostgreSQL writes values.

    ``types`` are the oids of the columns' types, known where there are rows.
    """

    types: tuple[int, ...]
    rows: tuple[tuple[str | None, ...], ...]
    is_more: bool


class _AsWritten(Loader):
    """The text that PostgreSQL sent, whatever its type; a database without an encoding may hold any bytes."""

    def load(self, data: Buffer) -> str:
        return bytes(data).decode("utf-8", "backslashreplace")


@contextmanager
def asking(target: Target) -> Iterator[Session]:
    """A session whose transactions cannot write; names are looked up as for the application."""
    with connect(target) as session:
        quiet = without_login_triggers(target, session)
    with connect(quiet, autocommit=False) as session:
        session.read_only = True
        session.adapters.register_loader(_OTHER_TYPES, _AsWritten)
        for known in session.adapters.types:
            for oid in filter(None, (known.oid, known.array_oid)):
                session.adapters.register_loader(oid, _AsWritten)
        yield session


def answer(
    session: Session, query: str | sql.Composed, most_rows: int | None = None, *, timeout_s: int = TIMEOUT_S
) -> Rows:
    """What one statement yields, in a transaction of its own; raises psycopg's errors.

    It goes by the extended protocol, in which a second statement behind a semicolon is refused.
    """
    with _limited(session, timeout_s), session.cursor() as cursor:
        rows: list[tuple[str | None, ...]] = []
        types: tuple[int, ...] = ()
        is_more = False
        with closing(_streamed(cursor, query)) as found:
            for row in found:
                types = types or tuple(column.type_code for column in cursor.description or ())
                if len(rows) == most_rows:
                    is_more = True
                    break
                rows.append(row)
        return Rows(types, tuple(rows), is_more)


def columns(session: Session, query: str) -> dict[str, int]:
    """The names of the columns that one statement would yield, with the oids of their types."""
    asked = sql.SQL("SELECT * FROM ({}\n) AS asked LIMIT 0").format(raw(query))
    with _limited(session, TIMEOUT_S), session.cursor() as cursor:
        # Binary answers come by the extended protocol alone.
        cursor.execute(asked, binary=True)
        return {column.name: column.type_code for column in cursor.description or ()}


@contextmanager
def _limited(session: Session, timeout_s: int) -> Iterator[None]:
    """A transaction that is always rolled back, and does not wait for long."""
    try:
        session.execute(_LIMITS, (f"{timeout_s}s", f"{_LOCK_TIMEOUT_S}s"))
        yield
    finally:
        if not session.closed:
            session.rollback()


def _streamed(cursor: Cursor[TupleRow], query: str | sql.Composed) -> Generator[tuple[str | None, ...]]:
    """Row by row, so that an answer of millions of rows is left when enough was seen."""
    yield from cursor.stream(sql.SQL(query) if isinstance(query, str) else query)

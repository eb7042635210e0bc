"""Sessions in which all values are written alike, so that what one side says can be compared with the other."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import psycopg

from holdfast.postgres.conninfo import Target
from holdfast.postgres.session import Session, connect, translated, without_login_triggers

LOCK_TIMEOUT_S = 10
"""How long live tables are waited for: everybody who wants them afterwards waits behind."""

# Set for one transaction, so that they hold behind a pooler too. Without a search path types and regclass values are
# written in full. Policies that hide rows end the query instead.
_SETTINGS = """
SELECT pg_catalog.set_config(s.name, wished.value, %(is_local)s)
  FROM (VALUES ('row_security', 'off'), ('statement_timeout', '0'), ('lock_timeout', %(lock_timeout)s), ('jit', 'off'),
               ('idle_in_transaction_session_timeout', '0'), ('transaction_timeout', '0'),
               ('TimeZone', 'UTC'), ('DateStyle', 'ISO, YMD'), ('IntervalStyle', 'postgres'), ('bytea_output', 'hex'),
               ('extra_float_digits', '1'), ('lc_monetary', 'C'), ('xmloption', 'content'), ('search_path', ''))
         AS wished (name, value)
  JOIN pg_catalog.pg_settings s ON pg_catalog.lower(s.name) = pg_catalog.lower(wished.name)
"""


@dataclass(frozen=True, slots=True)
class Backup:
    """The restored tables: one session reads in order while the other collects keys in temporary tables."""

    target: Target
    reader: Session
    writer: Session


@contextmanager
def reading(target: Target) -> Iterator[Session]:
    """One state of the database, all of it, in a transaction that cannot write."""
    with _transaction(target, psycopg.IsolationLevel.REPEATABLE_READ, "comparing tables", is_read_only=True) as session:
        yield session


@contextmanager
def changing(target: Target) -> Iterator[Session]:
    """A transaction that is rolled back unless the block commits it; each statement sees what others committed."""
    with _transaction(target, psycopg.IsolationLevel.READ_COMMITTED, "restoring tables", is_read_only=False) as session:
        yield session


@contextmanager
def _transaction(target: Target, level: psycopg.IsolationLevel, doing: str, *, is_read_only: bool) -> Iterator[Session]:
    with _opened(target) as session:
        session.isolation_level = level
        session.read_only = is_read_only
        with translated(target, doing):
            _settle(session, is_local=True)
            yield session
            session.rollback()


@contextmanager
def restored(target: Target) -> Iterator[Backup]:
    """Both sessions of the restored tables."""
    with connect(target) as reader, connect(target) as writer, translated(target, "reading the restored tables"):
        for session in (reader, writer):
            _settle(session, is_local=False)
        yield Backup(target, reader, writer)


@contextmanager
def _opened(target: Target) -> Iterator[Session]:
    with connect(target) as asked:
        quiet = without_login_triggers(target, asked)
    session = connect(quiet, autocommit=False)
    try:
        yield session
    finally:
        session.close()  # which ends a transaction that was not committed


def _settle(session: Session, *, is_local: bool) -> None:
    session.execute(_SETTINGS, {"is_local": is_local, "lock_timeout": f"{LOCK_TIMEOUT_S}s"})

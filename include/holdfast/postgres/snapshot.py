"""One exported snapshot: the dump, the row counts and the facts of a restore point all see the same database."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from types import TracebackType
from typing import Self

import psycopg
from psycopg import sql

from holdfast.errors import DatabaseUnavailable
from holdfast.manifest.model import SourceFacts, Table
from holdfast.postgres.conninfo import Target
from holdfast.postgres.facts import read_facts
from holdfast.postgres.lock_wait import BEFORE_SNAPSHOT_S, BESIDE_SNAPSHOT_S, waiting_for_locks
from holdfast.postgres.preflight import Problem, preflight, require_readable
from holdfast.postgres.session import Session, connect, pinned, translated, without_login_triggers
from holdfast.postgres.tables import TableRef, count_rows, list_tables

__all__ = ["Counting", "ExportedSnapshot", "Problem", "exported_snapshot", "preflight"]

# Settings of server, database or role that would hide rows or end a long transaction. Counting beside a dump
# is done long before it, and leaves the server's other processors to the application.
_SETTINGS = """
SELECT pg_catalog.set_config(s.name, wished.value, false)
  FROM (VALUES ('row_security', 'off'), ('statement_timeout', '0'), ('lock_timeout', %(lock_timeout)s), ('jit', 'off'),
               ('max_parallel_workers_per_gather', '0'),
               ('idle_in_transaction_session_timeout', '0'), ('idle_session_timeout', '0'),
               ('transaction_timeout', '0'), ('search_path', '')) AS wished (name, value)
  JOIN pg_catalog.pg_settings s USING (name)
"""

_ATTEMPTS = 5
_LOCKS_PER_STATEMENT = 500


class ExportedSnapshot:
    """A snapshot that pg_dump can be given by its id, for as long as the context manager is open.

    ``target`` leads to the very server that holds it. ``facts`` are complete but for the tables' rows, which
    ``count`` adds.
    """

    def __init__(self, target: Target, session: Session, snapshot_id: str, tables: Sequence[TableRef]) -> None:
        self.target = target
        self.snapshot_id = snapshot_id
        self.tables = tuple(tables)
        self.facts: SourceFacts = read_facts(session)
        self._session = session
        self._counting: set[Session] = set()

    @property
    def server_major(self) -> int:
        """The server's major version, such as 18."""
        return self.facts.server_version_num // 10000

    def count(self, workers: int = 1) -> SourceFacts:
        """Count every table's rows in this snapshot, in up to ``workers`` sessions; the facts with them."""
        ordered = sorted(self.tables, key=lambda table: table.pages, reverse=True)
        shares = [share for share in (ordered[start::workers] for start in range(workers)) if share]
        with ThreadPoolExecutor(max_workers=max(1, len(shares))) as pool:
            others = [pool.submit(self._count_apart, share) for share in shares[1:]]
            counted = self._count(self._session, shares[0] if shares else ())
            for other in others:
                counted |= other.result()
        tables = tuple(
            Table(schema_name=table.schema_name, name=table.name, oid=table.oid, rows=counted[table.oid])
            for table in self.tables
        )
        return self.facts.model_copy(update={"tables": tables})

    def counting(self, workers: int = 1) -> Counting:
        """Start counting now, beside what the caller does; to be used as a context manager."""
        return Counting(self, workers)

    @contextlib.contextmanager
    def session(self) -> Iterator[Session]:
        """One more session that reads the same state of the database, and can do nothing else."""
        with connect(self.target, autocommit=False) as session:
            _prepare(session, self.target, BESIDE_SNAPSHOT_S)
            with translated(self.target, "joining the snapshot"):
                session.execute(sql.SQL("SET TRANSACTION SNAPSHOT {}").format(sql.Literal(self.snapshot_id)))
            yield session

    def cancel(self) -> None:
        """End the queries of ``count`` that are running; it then raises."""
        for session in tuple(self._counting):
            with contextlib.suppress(psycopg.Error):
                session.cancel_safe(timeout=5)

    def _count_apart(self, tables: Sequence[TableRef]) -> dict[int, int]:
        with self.session() as session:
            return self._count(session, tables)

    def _count(self, session: Session, tables: Sequence[TableRef]) -> dict[int, int]:
        self._counting.add(session)
        try:
            with translated(self.target, "counting rows"), waiting_for_locks(self.target):
                return count_rows(session, tables)
        finally:
            self._counting.discard(session)


class Counting:
    """A count under way in the background; leaving the context by an error cancels it."""

    def __init__(self, snapshot: ExportedSnapshot, workers: int) -> None:
        self._snapshot = snapshot
        self._pool = ThreadPoolExecutor(max_workers=1, thread_name_prefix="count")
        self._future: Future[SourceFacts] = self._pool.submit(snapshot.count, workers)

    def result(self) -> SourceFacts:
        """The facts with all tables' rows; waits for the end, raises what the count raised."""
        return self._future.result()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if not self._future.done():
            self._snapshot.cancel()
        self._pool.shutdown(wait=True)


@contextlib.contextmanager
def exported_snapshot(target: Target) -> Iterator[ExportedSnapshot]:
    """Export a snapshot of the database and keep it open.

    Raises DatabaseError naming every table, sequence, schema or large object that may not be read, before
    anything else is done.
    """
    with connect(target) as session:
        server = without_login_triggers(pinned(target, session), session)
        with translated(server, "checking privileges"):
            require_readable(session, server)
        _prepare(session, server, BEFORE_SNAPSHOT_S)
        tables = _locked_tables(session, server)
        with translated(server, "exporting a snapshot"):
            row = session.execute("SELECT pg_catalog.pg_export_snapshot()").fetchone()
            assert row is not None
            # Those made since the locks were taken belong to the snapshot too.
            late = set(list_tables(session)) - set(tables)
            _lock(session, server, tuple(late))
            # A count may wait for a REINDEX as long as that takes: PostgreSQL sees whom this session waits for.
            session.execute("SET lock_timeout = 0")
            snapshot = ExportedSnapshot(server, session, str(row[0]), list_tables(session))
        yield snapshot
        with translated(server, "closing the snapshot"):
            session.rollback()


def _prepare(session: Session, target: Target, lock_timeout_s: int) -> None:
    """Make the next transaction see one state of the database, all of it, for as long as it takes."""
    with translated(target, "preparing the snapshot"):
        session.execute(_SETTINGS, {"lock_timeout": f"{lock_timeout_s}s"})
        if not session.autocommit:
            # Rolled back, the settings would be gone again.
            session.commit()
        session.autocommit = False
        session.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
        session.read_only = True


def _locked_tables(session: Session, target: Target) -> tuple[TableRef, ...]:
    """Open the transaction by locking all tables, as pg_dump will, before it has its snapshot.

    TRUNCATE and rewriting ALTER TABLE ignore snapshots. Between snapshot and lock they would leave the dump
    without rows that were counted.
    """
    for _ in range(_ATTEMPTS):
        with translated(target, "listing tables"):
            tables = list_tables(session)
            session.rollback()
            try:
                _lock(session, target, tables)
            except (psycopg.errors.UndefinedTable, psycopg.errors.InvalidSchemaName):
                session.rollback()
                continue
        return tables
    raise DatabaseUnavailable(f"{target.describe()}: tables are being dropped faster than they can be listed")


def _lock(session: Session, target: Target, tables: Sequence[TableRef]) -> None:
    for start in range(0, len(tables), _LOCKS_PER_STATEMENT):
        names = [sql.SQL("ONLY {}").format(table.identifier) for table in tables[start : start + _LOCKS_PER_STATEMENT]]
        with waiting_for_locks(target):
            session.execute(sql.SQL("LOCK TABLE {} IN ACCESS SHARE MODE").format(sql.SQL(", ").join(names)))

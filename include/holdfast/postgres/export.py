"""Tables as CSV out of an exported snapshot: which they are, and their rows in constant memory."""

from __future__ import annotations

from collections.abc import Generator, Iterable
from contextlib import contextmanager
from dataclasses import dataclass

from psycopg import sql

from holdfast.errors import DatabaseError, UsageError
from holdfast.postgres.lock_wait import waiting_for_locks
from holdfast.postgres.session import Session, translated
from holdfast.postgres.snapshot import ExportedSnapshot
from holdfast.postgres.tablenames import TableName, Wanted, parse_name
from holdfast.storage.pieces import joined

_PIECE_BYTES = 256 << 10
_KINDS = {"v": "a view", "m": "a materialized view", "f": "a foreign table"}

# Rows of a partitioned table are those of its leaves; of any other table its own, as they are counted.
_CANDIDATES = """
SELECT n.nspname, c.relname, c.relkind::text,
       ARRAY(SELECT a.attname::text FROM pg_catalog.pg_attribute a
              WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum),
       CASE c.relkind WHEN 'p' THEN ARRAY(SELECT t.relid::pg_catalog.oid::bigint
                                            FROM pg_catalog.pg_partition_tree(c.oid) t WHERE t.isleaf)
                      ELSE ARRAY[c.oid::bigint] END
  FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
 WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f') AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
   AND (c.relname = %(name)s OR pg_catalog.lower(c.relname) = pg_catalog.lower(%(name)s))
"""


@dataclass(frozen=True, slots=True)
class TableExport:
    """One table to export; ``parts`` are the oids whose rows it has: its own, or those of its leaf partitions."""

    schema_name: str
    name: str
    columns: tuple[str, ...]
    is_partitioned: bool
    parts: frozenset[int]

    def __str__(self) -> str:
        return f"{self.schema_name}.{self.name}"

    def statement(self, *, is_trial: bool = False) -> sql.Composed:
        """The COPY, of no row in a trial; without a query it would leave out partitions and generated columns."""
        return sql.SQL("COPY (SELECT * FROM {} {} {}) TO STDOUT (FORMAT csv, HEADER)").format(
            sql.SQL("" if self.is_partitioned else "ONLY"),
            sql.Identifier(self.schema_name, self.name),
            sql.SQL("LIMIT 0" if is_trial else ""),
        )


def plan_exports(snapshot: ExportedSnapshot, names: Iterable[str], field: str) -> tuple[TableExport, ...]:
    """The tables that ``names`` mean, each tried; ``field`` is where in the policy they stand.

    Raises UsageError for a name that fits none or several tables, DatabaseError for a table that cannot be
    exported; both name it.
    """
    with snapshot.session() as session:
        planned = tuple(_find(snapshot, session, parse_name(name), field) for name in names)
        for table in planned:
            _demand_counted(snapshot, table, field)
            with (
                _reading(snapshot, table),
                session.cursor() as cursor,
                cursor.copy(table.statement(is_trial=True)) as copy,
            ):
                for _ in copy:
                    pass
    return tuple(dict.fromkeys(planned))


class TableCopy:
    """The rows of one table; ``rows`` says how many there were once all pieces have been taken."""

    def __init__(self, snapshot: ExportedSnapshot, table: TableExport) -> None:
        self._snapshot = snapshot
        self._table = table
        self.rows: int | None = None

    def pieces(self) -> Generator[bytes, None, None]:
        """The CSV with its header, UTF-8, numbers in full and times in UTC, in pieces of about 256 KiB."""
        with self._snapshot.session() as session, _reading(self._snapshot, self._table), session.cursor() as cursor:
            # A server whose default is lower would round floating point numbers.
            cursor.execute("SET extra_float_digits = 1")
            with cursor.copy(self._table.statement()) as copy:
                yield from joined(copy, least_bytes=_PIECE_BYTES)  # COPY hands over row by row
            self.rows = cursor.rowcount


@contextmanager
def _reading(snapshot: ExportedSnapshot, table: TableExport) -> Generator[None, None, None]:
    with translated(snapshot.target, f"exporting table {table}"), waiting_for_locks(snapshot.target):
        yield


def _find(snapshot: ExportedSnapshot, session: Session, wanted: Wanted, field: str) -> TableExport:
    with translated(snapshot.target, "looking up tables"):
        rows = session.execute(_CANDIDATES, {"name": wanted.name}).fetchall()
    tables = {TableName(row[0], row[1]): row for row in rows}
    found = [table for table in tables if wanted.fits(table)] or [
        table for table in tables if wanted.fits_loosely(table)
    ]
    where = f"{field}: table {wanted.text}"
    if not found:
        raise UsageError(
            f"{where}: {snapshot.target.describe()} has no such table",
            hint="Name it as the database does, such as public.payments; mixed case as it is.",
        )
    if len(found) > 1:
        raise UsageError(f"{where}: several fit: {', '.join(sorted(map(str, found)))}", hint="Name the schema too.")
    schema_name, name, kind, columns, parts = tables[found[0]]
    if kind in _KINDS:
        raise UsageError(f"{where}: it is {_KINDS[kind]}", hint="Only tables can be exported: a dump holds their rows.")
    return TableExport(schema_name, name, tuple(columns), kind == "p", frozenset(parts))


def _demand_counted(snapshot: ExportedSnapshot, table: TableExport, field: str) -> None:
    """A table whose rows the dump has not, or not all, has no count to be compared with."""
    counted = {each.oid for each in snapshot.tables if not each.condition}
    if not table.parts <= counted:
        raise DatabaseError(
            f"{field}: table {table}: the dump does not hold all of its rows",
            hint="It belongs to an extension, is unlogged on a standby, or has foreign partitions.",
        )

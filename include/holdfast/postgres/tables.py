"""The tables whose rows a dump holds, and how many rows each has, exactly."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from psycopg import sql

from holdfast.postgres.session import Session

# What pg_dump --format=custom dumps rows of (source: PostgreSQL manual, pg_dump, and "Extension Configuration
# Tables"): ordinary tables and leaf partitions, and of those that belong to an extension only its
# configuration tables, under the extension's own condition. A standby cannot read unlogged tables.
_LIST = """
SELECT n.nspname, c.relname, c.oid::bigint, coalesce(config.condition, ''), c.relpages
  FROM pg_catalog.pg_class c
  JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
  LEFT JOIN (SELECT unnest(extconfig) AS oid, unnest(extcondition) AS condition FROM pg_catalog.pg_extension)
         AS config ON config.oid = c.oid
 WHERE c.relkind = 'r'
   AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
   AND (c.relpersistence = 'p' OR c.relpersistence = 'u' AND NOT pg_catalog.pg_is_in_recovery())
   AND (config.oid IS NOT NULL OR NOT EXISTS (
         SELECT FROM pg_catalog.pg_depend d
          WHERE d.classid = 'pg_catalog.pg_class'::pg_catalog.regclass AND d.objid = c.oid
            AND d.refclassid = 'pg_catalog.pg_extension'::pg_catalog.regclass AND d.deptype = 'e'))
 ORDER BY n.nspname COLLATE "C", c.relname COLLATE "C"
"""

_BATCH_TABLES = 100
_BATCH_PAGES = 8192


@dataclass(frozen=True, slots=True)
class TableRef:
    """A table to count. ``condition`` is empty, or the WHERE clause under which an extension has it dumped."""

    schema_name: str
    name: str
    oid: int
    condition: str = ""
    pages: int = 0

    def __str__(self) -> str:
        return f"{self.schema_name}.{self.name}"

    @property
    def identifier(self) -> sql.Identifier:
        """Its quoted name."""
        return sql.Identifier(self.schema_name, self.name)


def list_tables(session: Session) -> tuple[TableRef, ...]:
    """All tables whose rows pg_dump would dump, in the order of their names."""
    return tuple(TableRef(*row) for row in session.execute(_LIST))


def batches(tables: Iterable[TableRef]) -> Iterator[Sequence[TableRef]]:
    """Groups to count in one query each, the largest tables first: thousands of round trips would cost seconds."""
    batch: list[TableRef] = []
    pages = 0
    for table in sorted(tables, key=lambda table: table.pages, reverse=True):
        if batch and (len(batch) >= _BATCH_TABLES or pages + table.pages > _BATCH_PAGES):
            yield batch
            batch, pages = [], 0
        batch.append(table)
        pages += table.pages
    if batch:
        yield batch


def count_rows(session: Session, tables: Sequence[TableRef]) -> dict[int, int]:
    """Exact number of rows of each table, by oid, as the session's transaction sees them.

    Each query runs in a savepoint that is rolled back: it locks every index of its tables, and the locks of
    thousands of tables would not fit into the server's lock table until the transaction ends.
    """
    counted: dict[int, int] = {}
    for batch in batches(tables):
        with session.transaction(force_rollback=True):
            counted |= dict(session.execute(_count(batch)).fetchall())
    return counted


def _count(tables: Sequence[TableRef]) -> sql.Composed:
    return sql.SQL(" UNION ALL ").join([_count_one(table) for table in tables])


def _count_one(table: TableRef) -> sql.Composed:
    return sql.SQL("SELECT {}::bigint, count(*) FROM ONLY {} {}").format(
        sql.Literal(table.oid), table.identifier, sql.SQL(table.condition)
    )

"""The sequences that a dump holds, and where each stands."""

from __future__ import annotations

from collections.abc import Sequence as Ordered

from psycopg import sql

from holdfast.manifest.model import Sequence
from holdfast.postgres.session import Session

_LIST = """
SELECT c.oid::bigint, n.nspname, c.relname, s.seqincrement, s.seqcycle
  FROM pg_catalog.pg_sequence s
  JOIN pg_catalog.pg_class c ON c.oid = s.seqrelid
  JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
 WHERE n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
   AND (c.relpersistence = 'p' OR c.relpersistence = 'u' AND NOT pg_catalog.pg_is_in_recovery())
   AND (NOT EXISTS (
         SELECT FROM pg_catalog.pg_depend d
          WHERE d.classid = 'pg_catalog.pg_class'::pg_catalog.regclass AND d.objid = c.oid
            AND d.refclassid = 'pg_catalog.pg_extension'::pg_catalog.regclass AND d.deptype = 'e')
        OR EXISTS (SELECT FROM pg_catalog.pg_extension e WHERE c.oid = ANY (e.extconfig)))
 ORDER BY n.nspname COLLATE "C", c.relname COLLATE "C"
"""

_BATCH = 200


def read_sequences(session: Session) -> tuple[Sequence, ...]:
    """All sequences that are dumped, with their last value (None: never called).

    Their values are outside of transactions. They are read as tables are, in savepoints that are rolled
    back: pg_sequence_last_value would keep a lock on every sequence until the transaction ends.
    """
    listed = session.execute(_LIST).fetchall()
    values: dict[int, int | None] = {}
    for start in range(0, len(listed), _BATCH):
        names = [(oid, sql.Identifier(schema, name)) for oid, schema, name, _, _ in listed[start : start + _BATCH]]
        with session.transaction(force_rollback=True):
            values |= dict(session.execute(_values(names)).fetchall())
    return tuple(
        Sequence(schema_name=schema, name=name, last_value=values[oid], increment=increment)
        for oid, schema, name, increment, _ in listed
    )


def cycling_sequences(session: Session) -> frozenset[tuple[str, str]]:
    """Schema and name of the sequences that start again at their end, so that a lower value is no step back."""
    return frozenset((schema, name) for _, schema, name, _, cycles in session.execute(_LIST) if cycles)


def _values(names: Ordered[tuple[int, sql.Identifier]]) -> sql.Composed:
    return sql.SQL(" UNION ALL ").join(
        [
            sql.SQL("SELECT {}::bigint, CASE WHEN is_called THEN last_value END FROM {}").format(sql.Literal(oid), name)
            for oid, name in names
        ]
    )

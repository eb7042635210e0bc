"""Moves sequences of the restored columns past what the tables hold now, never back."""

from __future__ import annotations

from psycopg import sql

from holdfast.operation.tables.pairing import Pair
from holdfast.postgres.relations import QualifiedName
from holdfast.postgres.session import Session

_FACTS = """
SELECT s.seqincrement, s.seqmin, s.seqmax, s.seqcycle
  FROM pg_catalog.pg_sequence s
  JOIN pg_catalog.pg_class c ON c.oid = s.seqrelid
  JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
 WHERE n.nspname = %s AND c.relname = %s
"""


def advance_sequences(live: Session, pair: Pair) -> tuple[str, ...]:
    """Set each owned sequence to at least its column's greatest value (least, where it counts down).

    Sequences do not go back with a transaction: this comes last, and does no harm where the commit fails. Returns
    those that were moved, in words.
    """
    moved = []
    for column, sequence in sorted(pair.live.owned_sequences.items()):
        if column in pair.columns and (value := _advance(live, pair, column, sequence)) is not None:
            moved.append(f"sequence {sequence} set to {value}")
    return tuple(moved)


def _advance(live: Session, pair: Pair, column: str, sequence: QualifiedName) -> int | None:
    facts = live.execute(_FACTS, (sequence.schema, sequence.name)).fetchone()
    if facts is None:
        return None
    increment, least, greatest, is_cycling = facts
    aggregate = sql.SQL("pg_catalog.max" if increment > 0 else "pg_catalog.min")
    row = live.execute(
        sql.SQL("SELECT {}(t.{})::pg_catalog.numeric, s.last_value, s.is_called FROM {} AS s LEFT JOIN {} AS t ON true"
                " GROUP BY s.last_value, s.is_called").format(
            aggregate, sql.Identifier(column), sequence.identifier, pair.live.rows_of
        )
    ).fetchone()  # fmt: skip
    if row is None or row[0] is None or is_cycling or not least <= row[0] <= greatest:
        return None
    held, last, is_called = int(row[0]), row[1], row[2]
    is_behind = held > last if increment > 0 else held < last
    if not is_behind and (is_called or held != last):
        return None
    live.execute(
        sql.SQL("SELECT pg_catalog.setval(({})::pg_catalog.regclass, {}, true)").format(
            sql.Literal(sequence.identifier.as_string(live)), sql.Literal(held)
        )
    )
    return held

"""Rows of both sides in one order in which no collation or locale has a say, each as its key and a hash."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from typing import Literal

from psycopg import sql

from holdfast.errors import DatabaseError
from holdfast.operation.tables.pairing import Pair
from holdfast.operation.tables.phrases import COMMA, digest
from holdfast.postgres.relations import Relation
from holdfast.postgres.session import Session

Key = tuple[int | str, ...]
Kind = Literal["a", "r", "c", "="]
"""Added (only in the backup), removed (only in live), changed, equal."""

_FETCHED_ROWS = 5000

Row = tuple[Key, bytes | int]


def rows_in_order(session: Session, relation: Relation, pair: Pair) -> Generator[Row, None, None]:
    """(key, digest of the row) in the order of the key; without a key (digest, how many rows have it)."""
    query = _keyed(relation, pair) if pair.key else _counted(relation, pair)
    with session.transaction(), session.cursor(name="holdfast_rows") as cursor:
        cursor.itersize = _FETCHED_ROWS
        cursor.execute(query, binary=True)
        last: Key | None = None
        for *key, value in cursor:
            found = tuple(key)
            if last is not None and found <= last:
                raise DatabaseError(f"table {relation.name}: its rows do not come in order: is an index broken?")
            last = found
            yield found, value


def merged(backup: Iterator[Row], live: Iterator[Row]) -> Iterator[tuple[Key, bytes | int | None, bytes | int | None]]:
    """Every key once, with what the backup and live have under it."""
    one, other = next(backup, None), next(live, None)
    while one is not None or other is not None:
        if other is None or (one is not None and one[0] < other[0]):
            assert one is not None
            yield one[0], one[1], None
            one = next(backup, None)
        elif one is None or other[0] < one[0]:
            yield other[0], None, other[1]
            other = next(live, None)
        else:
            yield one[0], one[1], other[1]
            one, other = next(backup, None), next(live, None)


def _keyed(relation: Relation, pair: Pair) -> sql.Composed:
    shown, order = [], []
    for name in pair.key:
        column = sql.Identifier("t", name)
        if pair.is_number(name):
            shown.append(sql.SQL("{}").format(column))
            order.append(sql.SQL("{}").format(column))
        elif pair.is_uuid(name):
            # Its digits, always written alike, sort as its bytes do: the index serves.
            shown.append(sql.SQL("{}::pg_catalog.text").format(column))
            order.append(sql.SQL("{}").format(column))
        else:
            # Python orders text by code points, which is how UTF-8 orders by bytes.
            shown.append(sql.SQL("{}::pg_catalog.text").format(column))
            order.append(sql.SQL("pg_catalog.convert_to({}::pg_catalog.text, 'UTF8')").format(column))
    return sql.SQL("SELECT {}, {} FROM {} AS t ORDER BY {}").format(
        COMMA.join(shown), digest("t", pair.columns), relation.rows_of, COMMA.join(order)
    )


def _counted(relation: Relation, pair: Pair) -> sql.Composed:
    return sql.SQL(
        "SELECT pg_catalog.encode(d.digest, 'hex'), pg_catalog.count(*)"
        " FROM (SELECT {} AS digest FROM {} AS t) AS d GROUP BY d.digest ORDER BY d.digest"
    ).format(digest("t", pair.columns), relation.rows_of)

"""SQL that statements on both sides are made of: names and types are composed, never pasted from what people wrote."""

from __future__ import annotations

from collections.abc import Iterable

from psycopg import sql

from holdfast.operation.tables.pairing import Pair, column_of
from holdfast.postgres.relations import Column, Relation

COMMA = sql.SQL(", ")
AND = sql.SQL(" AND ")


def temporary(what: str, pair: Pair) -> sql.Identifier:
    """The temporary table of a session that holds ``keys``, ``stage`` or ``old`` of a pair."""
    return sql.Identifier("pg_temp", f"holdfast_{what}_{pair.number}")


def each(alias: str, columns: Iterable[str]) -> sql.Composed:
    """``t.a, t.b``."""
    return COMMA.join([sql.Identifier(alias, column) for column in columns])


def numbered(alias: str, count: int) -> sql.Composed:
    """``s.c1, s.c2``."""
    return COMMA.join([sql.Identifier(alias, f"c{n}") for n in range(1, count + 1)])


def digest(alias: str, columns: Iterable[str]) -> sql.Composed:
    """SHA-256 of the columns as the types themselves write them: no collation, locale or length matters."""
    return sql.SQL("pg_catalog.sha256(pg_catalog.convert_to(ROW({})::pg_catalog.text, 'UTF8'))").format(
        each(alias, columns)
    )


def equal(column: Column, left: sql.Composable, right: sql.Composable) -> sql.Composed:
    """``left = right`` by the operator of the column's own type, wherever that lies."""
    return sql.SQL("{} OPERATOR({}.=) {}").format(left, sql.Identifier(column.operators), right)


def cast(column: Column, text: sql.Composable) -> sql.Composed:
    """Text as the column's type."""
    return sql.SQL("{}::{}").format(text, sql.SQL(column.cast))


def key_match(relation: Relation, pair: Pair, *, row: str = "t", keys: str = "k") -> sql.Composed:
    """``t.id = k.k1::bigint AND …``."""
    return AND.join(
        [
            equal(column, sql.Identifier(row, name), cast(column, sql.Identifier(keys, f"k{n}")))
            for n, (name, column) in enumerate(((name, column_of(relation, name)) for name in pair.key), 1)
        ]
    )


def matched(relation: Relation, pair: Pair) -> sql.Composed:
    """After FROM: the table's rows as ``t`` that the pair's table of keys names, with that as ``k``.

    Of rows that no key tells apart, as many as are wanted.
    """
    keys = temporary("keys", pair)
    if pair.key:
        return sql.SQL("{} AS t JOIN {} AS k ON {}").format(relation.rows_of, keys, key_match(relation, pair))
    return sql.SQL(
        "(SELECT d.*, pg_catalog.row_number() OVER (PARTITION BY d.holdfast_digest) AS holdfast_nth FROM"
        " (SELECT t.*, t.tableoid AS holdfast_part, t.ctid AS holdfast_place, {} AS holdfast_digest FROM {} AS t) AS d)"
        " AS t JOIN {} AS k ON k.k1 OPERATOR(pg_catalog.=) pg_catalog.encode(t.holdfast_digest, 'hex')"
        " AND t.holdfast_nth OPERATOR(pg_catalog.<=) k.n"
    ).format(digest("t", pair.columns), relation.rows_of, keys)


def which(operations: str, alias: str = "k") -> sql.Composed:
    """Whether ``k.op`` is one of ``ac``, say: a(dded), c(hanged), r(emoved)."""
    return sql.SQL("{} OPERATOR(pg_catalog.=) ANY ({}::pg_catalog.text[])").format(
        sql.Identifier(alias, "op"), sql.Literal(list(operations))
    )


def listed(values: Iterable[Iterable[str]], width: int) -> sql.Composed:
    """After FROM: rows of texts as ``v (v1, v2, …)``; as literals, for a name may hold a per cent sign."""
    rows = [tuple(row) for row in values]
    arrays = [
        sql.SQL("pg_catalog.unnest({}::pg_catalog.text[])").format(sql.Literal([row[n] for row in rows]))
        for n in range(width)
    ]
    names = COMMA.join([sql.Identifier(f"v{n}") for n in range(1, width + 1)])
    return sql.SQL("ROWS FROM ({}) AS v ({})").format(COMMA.join(arrays), names)

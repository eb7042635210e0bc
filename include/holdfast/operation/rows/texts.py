"""Rows as text: every value in the one form that both databases write and read."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from psycopg import sql

from holdfast.postgres.relations import Column, QualifiedName, Relation
from holdfast.postgres.session import Session

type Texts = tuple[str | None, ...]

# What a role's or database's own choices would make differ. Nothing is looked up by a bare name.
_SETTINGS = """
SELECT pg_catalog.set_config('search_path', 'pg_catalog', {0}), pg_catalog.set_config('extra_float_digits', '1', {0}),
       pg_catalog.set_config('lc_monetary', 'C', {0}), pg_catalog.set_config('TimeZone', 'UTC', {0}),
       pg_catalog.set_config('DateStyle', 'ISO', {0}), pg_catalog.set_config('IntervalStyle', 'postgres', {0}),
       pg_catalog.set_config('bytea_output', 'hex', {0}), pg_catalog.set_config('row_security', 'off', {0}),
       pg_catalog.set_config('standard_conforming_strings', 'on', {0})
"""


@dataclass(frozen=True, slots=True, order=True)
class RowId:
    """A row by its primary key, as its database writes it."""

    table: QualifiedName
    key: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Row:
    """One row: its values by column, None for NULL."""

    id: RowId
    values: Mapping[str, str | None]

    def texts(self, columns: Iterable[str]) -> Texts:
        """Some values, in that order."""
        return tuple(self.values[column] for column in columns)


def settle(session: Session, *, is_local: bool = False) -> None:
    """Make the session write values alike everywhere; within the transaction only where ``is_local``."""
    session.execute(sql.SQL(_SETTINGS).format(sql.Literal(is_local)))


def rows_with(
    session: Session, relation: Relation, columns: Sequence[str], sought: Sequence[Sequence[str]]
) -> dict[int, list[Row]]:
    """The rows whose ``columns`` equal one of the ``sought`` values, by the position of what was sought.

    Equal is what PostgreSQL takes for equal, such as 1.0 and 1.00. The values are bound parameters.
    """
    if not sought:
        return {}
    tests = [equals(_column(relation, name), index) for index, name in enumerate(columns)]
    query = sql.SQL("SELECT s.n, {} FROM {} AS t JOIN {} ON {}").format(
        as_texts(relation.columns), relation.rows_of, sought_as("s", len(columns)), sql.SQL(" AND ").join(tests)
    )
    found: dict[int, list[Row]] = {}
    for number, *values in session.execute(query, transposed(sought)).fetchall():
        found.setdefault(number - 1, []).append(row_of(relation, values))
    return found


def equals(column: Column, index: int) -> sql.Composed:
    """The column of ``t`` has the value at that index of ``s``, as ``sought_as`` gives it."""
    return sql.SQL("t.{} OPERATOR({}.=) CAST(s.{} AS {})").format(
        column.identifier, sql.Identifier(column.operators), _numbered(index), sql.SQL(column.cast)
    )


def sought_as(alias: str, width: int) -> sql.Composed:
    """One array of text per column as a table, with the position as ``n``; bound by the caller."""
    arrays = sql.SQL(", ").join([sql.SQL("pg_catalog.unnest(%s::text[])")] * width)
    names = sql.SQL(", ").join([_numbered(index) for index in range(width)])
    return sql.SQL("ROWS FROM ({}) WITH ORDINALITY AS {} ({}, n)").format(arrays, sql.Identifier(alias), names)


def transposed(rows: Sequence[Sequence[str | None]]) -> list[list[str | None]]:
    """One list for each column."""
    return [list(column) for column in zip(*rows, strict=True)]


def row_of(relation: Relation, values: Sequence[str | None]) -> Row:
    """The row with all of the relation's columns, whose primary key ``relation`` knows."""
    named = dict(zip((column.name for column in relation.columns), values, strict=True))
    return Row(RowId(relation.name, tuple(named[name] or "" for name in relation.primary_key)), named)


def as_texts(columns: Iterable[Column]) -> sql.Composed:
    """The columns of ``t`` as text, for a list of what to select."""
    return sql.SQL(", ").join([sql.SQL("t.{}::text").format(column.identifier) for column in columns])


def _numbered(index: int) -> sql.Identifier:
    return sql.Identifier(f"c{index}")


def _column(relation: Relation, name: str) -> Column:
    found = relation.column(name)
    assert found is not None, f"{relation.name} has no column {name}"
    return found

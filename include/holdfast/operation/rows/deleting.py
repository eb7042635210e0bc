"""Deletes rows in the order that foreign keys allow: children before parents."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from psycopg import sql

from holdfast.errors import RestoreError
from holdfast.operation.rows.ordering import nullable, order
from holdfast.operation.rows.pool import Link
from holdfast.operation.rows.texts import Row, equals, sought_as, transposed
from holdfast.operation.rows.writing import by_table, update_columns
from holdfast.postgres.relations import QualifiedName, Relation, referring
from holdfast.postgres.session import Session

type Relations = Mapping[QualifiedName, Relation]


def tables_to_lock(relations: Relations, tables: Iterable[QualifiedName]) -> set[QualifiedName]:
    """The tables, and all whose rows may refer to theirs: a cascade must not meet a row that nobody has seen."""
    found = {name for name in tables if name in relations}
    return found | {relation.name for name in found for relation, _ in referring(relations.values(), name)}


def delete_rows(session: Session, relations: Relations, rows: Sequence[Row]) -> None:
    """Delete them all; raises RestoreError where fewer go."""
    planned = order(relations, _links(relations, rows), rows)
    for table, key in planned.postponed:
        names = nullable(relations, table, key)
        of = [Row(row.id, {**row.values, **dict.fromkeys(names)}) for row in rows if row.id.table == table]
        update_columns(session, relations[table], of, names)
    for wave in reversed(planned.waves):
        for table, of in by_table(wave).items():
            _delete(session, relations[table], of)


def _delete(session: Session, relation: Relation, rows: Sequence[Row]) -> None:
    columns = [column for name in relation.primary_key if (column := relation.column(name)) is not None]
    gone = session.execute(
        sql.SQL("DELETE FROM {} AS t USING {} WHERE {}").format(
            relation.rows_of,
            sought_as("s", len(columns)),
            sql.SQL(" AND ").join([equals(column, index) for index, column in enumerate(columns)]),
        ),
        transposed([row.texts(relation.primary_key) for row in rows]),
    ).rowcount
    if gone != len(rows):
        raise RestoreError(
            f"table {relation.name}: {gone} of {len(rows)} rows could be deleted",
            hint="A trigger or rule of the table keeps them. Nothing was changed.",
        )


def _links(relations: Relations, rows: Sequence[Row]) -> list[Link]:
    """Which of the rows refer to which others of them."""
    keys = {key for row in rows for key in relations[row.id.table].foreign_keys}
    targets = {(key.references, key.referenced_columns) for key in keys}
    places = {
        (table, columns, row.texts(columns)): row.id
        for table, columns in targets
        for row in rows
        if row.id.table == table
    }
    found = []
    for row in rows:
        for key in relations[row.id.table].foreign_keys:
            values = row.texts(key.columns)
            parent = places.get((key.references, key.referenced_columns, values))
            if parent is not None and None not in values:
                found.append(Link(row.id, key, tuple(value or "" for value in values), parent))
    return found

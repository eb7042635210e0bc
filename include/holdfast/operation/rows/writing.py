"""Writes rows into live inside the caller's transaction, and reads them again: they must be what they should be."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from psycopg import errors, sql

from holdfast.errors import DatabaseUnavailable, RestoreError
from holdfast.operation.rows.deciding import Change
from holdfast.operation.rows.ordering import Order, nullable
from holdfast.operation.rows.pool import Pool
from holdfast.operation.rows.texts import Row, equals, rows_with, settle, sought_as, transposed
from holdfast.postgres.relations import Column, ForeignKey, QualifiedName, Relation
from holdfast.postgres.session import Session

_LOCK_S = 10
_PATH = "SELECT pg_catalog.set_config('search_path', %s, true)"


def lock_tables(session: Session, tables: Iterable[QualifiedName]) -> None:
    """Keep everybody from writing to the tables until the transaction ends; reading goes on.

    Raises DatabaseUnavailable where another transaction does not let go of them.
    """
    session.execute(sql.SQL("SET LOCAL lock_timeout = {}").format(sql.Literal(f"{_LOCK_S}s")))
    for table in sorted(tables):
        try:
            session.execute(sql.SQL("LOCK TABLE {} IN SHARE ROW EXCLUSIVE MODE").format(table.identifier))
        except errors.LockNotAvailable as error:
            raise DatabaseUnavailable(
                f"table {table}: another transaction has been writing to it for {_LOCK_S} s",
                hint="Nothing was changed. Find it in pg_stat_activity and pg_locks, then try again.",
            ) from error


def write_inserts(session: Session, pool: Pool, order: Order, path: str) -> None:
    """Insert the rows, wave by wave, then set the references that had to wait. ``path``: the role's own search path."""
    session.execute(_PATH, (path,))
    waiting: dict[QualifiedName, list[ForeignKey]] = {}
    for table, key in order.postponed:
        waiting.setdefault(table, []).append(key)
    for wave in order.waves:
        for table, rows in by_table(wave).items():
            omitted = {name for key in waiting.get(table, ()) for name in nullable(pool.relations, table, key)}
            _insert(session, pool, table, rows, omitted)
    for table, keys in waiting.items():
        rows = [row for wave in order.waves for row in wave if row.id.table == table]
        names = tuple(sorted({name for key in keys for name in nullable(pool.relations, table, key)}))
        update_columns(session, pool.relations[table], rows, names)
    session.execute("SET CONSTRAINTS ALL IMMEDIATE")


def write_updates(
    session: Session, relations: Mapping[QualifiedName, Relation], changes: Sequence[Change], path: str
) -> None:
    """Give rows the other content, in just the columns that differ."""
    session.execute(_PATH, (path,))
    alike: dict[tuple[QualifiedName, tuple[str, ...]], list[Row]] = {}
    for change in changes:
        alike.setdefault((change.row.id.table, change.columns), []).append(change.row)
    for (table, columns), rows in sorted(alike.items()):
        update_columns(session, relations[table], rows, columns)
    session.execute("SET CONSTRAINTS ALL IMMEDIATE")


def verify(session: Session, pool: Pool, rows: Sequence[Row], *, is_quiet: bool) -> tuple[str, ...]:
    """Read what was written again. Returns what triggers have made of it, in words.

    Raises RestoreError where a row is not there, or without any trigger is not what it should be.
    """
    settle(session, is_local=True)
    notes = []
    for table, of in by_table(rows).items():
        relation, columns = pool.relations[table], pool.shared[table]
        found = rows_with(session, relation, relation.primary_key, [row.id.key for row in of])
        if len(found) != len(of):
            raise RestoreError(
                f"table {table}: {len(of) - len(found)} of {len(of)} rows are not there after they were written",
                hint="A trigger or rule of the table keeps them out. Nothing was changed.",
            )
        changed = sum(found[index][0].texts(columns) != row.texts(columns) for index, row in enumerate(of))
        if changed and is_quiet:
            raise RestoreError(
                f"table {table}: {changed} rows came out otherwise than they are in the restore point",
                hint="A column has another type or precision than then. Nothing was changed.",
            )
        if changed:
            notes.append(f"{table}: triggers have changed {changed} of the rows that were written")
    return tuple(notes)


def raise_sequences(session: Session, pool: Pool, rows: Sequence[Row]) -> None:
    """Raise sequences that columns own to what was inserted; a sequence is never set back."""
    for table, of in by_table(rows).items():
        for column, sequence in sorted(pool.relations[table].owned_sequences.items()):
            values = [int(value) for row in of if (value := row.values.get(column) or "").isdecimal()]
            if values:
                session.execute(
                    sql.SQL(
                        "SELECT pg_catalog.setval(s.seqrelid::regclass, %s) FROM pg_catalog.pg_sequence s, {} AS at "
                        "WHERE s.seqrelid = %s::regclass AND s.seqincrement > 0 AND %s <= s.seqmax "
                        "AND (at.last_value < %s OR at.last_value = %s AND NOT at.is_called)"
                    ).format(sequence.identifier),
                    (max(values), sequence.identifier.as_string(session), *[max(values)] * 3),
                )


def _insert(session: Session, pool: Pool, table: QualifiedName, rows: Sequence[Row], omitted: set[str]) -> None:
    relation = pool.relations[table]
    columns = [column for column in relation.columns if column.name in pool.shared[table]]
    always = any(column.identity == "a" for column in columns)
    session.execute(
        sql.SQL("INSERT INTO {} ({}) {} SELECT {} FROM {}").format(
            relation.name.identifier,
            sql.SQL(", ").join([column.identifier for column in columns]),
            sql.SQL("OVERRIDING SYSTEM VALUE" if always else ""),
            _cast(columns),
            sought_as("s", len(columns)),
        ),
        # A column that is left out would get its default.
        transposed([[None if each.name in omitted else row.values[each.name] for each in columns] for row in rows]),
    )


def update_columns(session: Session, relation: Relation, rows: Sequence[Row], columns: Sequence[str]) -> None:
    """Give some columns of rows, found by their primary keys, other values."""
    if not rows or not columns:
        return
    named = [_column(relation, name) for name in (*columns, *relation.primary_key)]
    changes, keys = named[: len(columns)], named[len(columns) :]
    tests = [equals(each, len(columns) + index) for index, each in enumerate(keys)]
    sets = [
        sql.SQL("{} = CAST(s.{} AS {})").format(each.identifier, sql.Identifier(f"c{index}"), sql.SQL(each.cast))
        for index, each in enumerate(changes)
    ]
    session.execute(
        sql.SQL("UPDATE {} AS t SET {} FROM {} WHERE {}").format(
            relation.rows_of, sql.SQL(", ").join(sets), sought_as("s", len(named)), sql.SQL(" AND ").join(tests)
        ),
        transposed([row.texts((*columns, *relation.primary_key)) for row in rows]),
    )


def _cast(columns: Sequence[Column]) -> sql.Composed:
    return sql.SQL(", ").join(
        [
            sql.SQL("CAST(s.{} AS {})").format(sql.Identifier(f"c{index}"), sql.SQL(column.cast))
            for index, column in enumerate(columns)
        ]
    )


def by_table(rows: Iterable[Row]) -> dict[QualifiedName, list[Row]]:
    """The rows of each table, the tables in the order of their names."""
    found: dict[QualifiedName, list[Row]] = {}
    for row in rows:
        found.setdefault(row.id.table, []).append(row)
    return dict(sorted(found.items()))


def _column(relation: Relation, name: str) -> Column:
    found = relation.column(name)
    assert found is not None, f"{relation.name} has no column {name}"
    return found

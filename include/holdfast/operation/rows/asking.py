"""Asks the restored table which of its rows are meant: by values, or by a condition that somebody wrote."""

from __future__ import annotations

import re

import psycopg
from psycopg import errors, sql

from holdfast.errors import UsageError
from holdfast.operation.rows.request import RowsRequest
from holdfast.operation.rows.texts import Row, as_texts, row_of, rows_with
from holdfast.postgres.conninfo import Target
from holdfast.postgres.predicates import Predicate
from holdfast.postgres.relations import QualifiedName, Relation
from holdfast.postgres.session import Session, connect

_PREDICATE_S = 60


def demand_values(session: Session, relation: Relation, request: RowsRequest) -> None:
    """Raise UsageError for a key whose column is none, or whose value the column cannot hold."""
    for name, values in request.wanted.items():
        column = relation.column(name)
        if column is None:
            names = ", ".join(each.name for each in relation.columns)
            raise UsageError(
                f"key {name}: {relation.name} has no such column in the restore point", hint=f"It has: {names}."
            )
        query = sql.SQL("SELECT pg_catalog.unnest(%s::text[])::{}").format(sql.SQL(column.cast))
        try:
            session.execute(query, (list(values),))
        except (psycopg.DataError, psycopg.ProgrammingError) as error:
            raise UsageError(f"key {name}: {_said(error)}", hint=f"The column is of type {column.type}.") from error


def rows_by_keys(session: Session, relation: Relation, request: RowsRequest) -> tuple[list[Row], tuple[str, ...]]:
    """The rows that fit, at most one more than the limit, and the asked values that none has, where that is plain."""
    wanted = request.wanted
    if len(wanted) == 1:
        ((name, values),) = wanted.items()
        found = rows_with(session, relation, [name], [(value,) for value in values])
        absent = tuple(f"{name}={value}" for index, value in enumerate(values) if index not in found)
        return list({row.id: row for rows in found.values() for row in rows}.values()), absent
    tests, bound = [], []
    for name, values in wanted.items():
        column = relation.column(name)
        assert column is not None
        test = sql.SQL("t.{} OPERATOR({}.=) ANY (SELECT pg_catalog.unnest(%s::text[])::{})")
        tests.append(test.format(column.identifier, sql.Identifier(column.operators), sql.SQL(column.cast)))
        bound.append(list(values))
    query = sql.SQL("SELECT {} FROM {} AS t WHERE {} LIMIT %s").format(
        as_texts(relation.columns), relation.rows_of, sql.SQL(" AND ").join(tests)
    )
    rows = session.execute(query, (*bound, request.limit + 1)).fetchall()
    return [row_of(relation, values) for values in rows], ()


def rows_by_predicate(session: Session, application: Target, relation: Relation, request: RowsRequest) -> list[Row]:
    """The rows for which the condition is true, at most one more than the limit.

    It runs as the application's role, which may do nothing outside of the throwaway database, in a transaction that
    only reads, and comes back as primary keys alone. Raises UsageError for what PostgreSQL does not take for one
    condition on this table.
    """
    assert request.predicate is not None
    keys = sql.SQL(", ").join([sql.SQL("{}::text").format(sql.Identifier(name)) for name in relation.primary_key])
    # A bound parameter makes it the extended protocol, which takes one statement and no more.
    condition = sql.SQL(Predicate.parse(request.predicate).text.replace("%", "%%"))
    query = sql.SQL("SELECT {} FROM {} WHERE (\n{}\n) LIMIT %s").format(keys, relation.rows_of, condition)
    with connect(application, autocommit=False) as limited:
        try:
            limited.execute("SET TRANSACTION READ ONLY")
            limited.execute(_path(relation.name))
            limited.execute(sql.SQL("SET LOCAL statement_timeout = {}").format(sql.Literal(_PREDICATE_S * 1000)))
            found = limited.execute(query, (request.limit + 1,)).fetchall()
        except errors.QueryCanceled as error:
            raise UsageError(f"predicate: takes longer than {_PREDICATE_S} s", hint="Make it simpler.") from error
        except psycopg.OperationalError:
            raise
        except psycopg.Error as error:
            raise UsageError(
                f"predicate: {_said(error)}",
                hint="Write one condition on the table's own columns; quote names in mixed case.",
            ) from error
        limited.rollback()
    return [row for rows in rows_with(session, relation, relation.primary_key, found).values() for row in rows]


def _path(table: QualifiedName) -> sql.Composed:
    return sql.SQL("SET LOCAL search_path = {}, public").format(sql.Identifier(table.schema))


def _said(error: psycopg.Error) -> str:
    return re.sub(r"\s+", " ", error.diag.message_primary or str(error)).strip()

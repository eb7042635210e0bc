"""Writes what differs into live: deletes, updates and inserts of whole sets, in the transaction under way."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import psycopg
from psycopg import sql

from holdfast.errors import RestoreError
from holdfast.operation.tables.examining import Examination
from holdfast.operation.tables.pairing import Pair, column_of
from holdfast.operation.tables.phrases import (
    AND,
    COMMA,
    equal,
    key_match,
    matched,
    temporary,
    which,
)
from holdfast.postgres.session import Session

_NAMES_AS_FOR_THE_APPLICATION = "SET LOCAL search_path TO DEFAULT"
_NO_NAMES = "SELECT pg_catalog.set_config('search_path', '', true)"


@dataclass(frozen=True, slots=True)
class _Way:
    """One order of doing it. A way that meets a constraint is undone, and the next one tried."""

    name: str
    is_silent: bool
    is_rewriting: bool
    writes: Callable[[Session, Examination, bool], None]


def write(live: Session, found: Examination) -> str:
    """Write everything; returns how it was done, in words. Raises RestoreError where the database refuses every way."""
    refused: psycopg.IntegrityError | None = None
    for way in _ways(found):
        try:
            with live.transaction():
                _prepare(live, way)
                way.writes(live, found, way.is_rewriting)
                live.execute("SET CONSTRAINTS ALL IMMEDIATE")
                live.execute(_NO_NAMES)
        except psycopg.IntegrityError as error:
            refused = error
            continue
        return way.name
    assert refused is not None
    raise RestoreError(
        f"restoring tables: {_said(refused)}; everything was rolled back",
        hint="Rows that stay in live, or a trigger, stand against it: choose the other table too, or replace.",
    ) from refused


def _ways(found: Examination) -> tuple[_Way, ...]:
    if found.writing.is_silent:
        return (
            _Way("without triggers", True, False, _delete_first),
            # Rows that exchange a unique value can only be taken out and put in again.
            _Way("without triggers, changed rows written anew", True, True, _delete_first),
        )
    return (
        _Way("with triggers, parents first", False, False, _insert_first),
        _Way("with triggers, deletions first", False, False, _delete_first),
    )


def _prepare(live: Session, way: _Way) -> None:
    # Checks, defaults and triggers find what they name as they do for the application.
    live.execute(_NAMES_AS_FOR_THE_APPLICATION)
    live.execute("SET CONSTRAINTS ALL DEFERRED")
    if way.is_silent:
        live.execute("SET LOCAL session_replication_role = replica")


def _delete_first(live: Session, found: Examination, is_rewriting: bool) -> None:
    order = found.writing.order
    for pair in reversed(order):
        _delete(live, pair, found, is_rewriting=is_rewriting)
    for pair in order:
        if not _is_rewritten(pair, is_rewriting):
            _update(live, pair, pair.columns, "c")
    for pair in order:
        _insert(live, pair, found, is_rewriting=is_rewriting)
    _fill(live, found)


def _insert_first(live: Session, found: Examination, is_rewriting: bool) -> None:
    """No row loses what it refers to, and nothing cascades: what is deleted last, nobody refers to any more."""
    order = found.writing.order
    for pair in order:
        _insert(live, pair, found, is_rewriting=is_rewriting)
    _fill(live, found)
    for pair in order:
        _update(live, pair, pair.columns, "c")
    for pair in reversed(order):
        _delete(live, pair, found, is_rewriting=is_rewriting)


def _is_rewritten(pair: Pair, is_rewriting: bool) -> bool:
    """Are changed rows deleted and inserted? A column that is always an identity cannot be updated."""
    return bool(pair.key) and (is_rewriting or bool(set(_fixed(pair)) - set(pair.key)))


def _fixed(pair: Pair) -> tuple[str, ...]:
    return tuple(name for name in pair.columns if column_of(pair.live, name).identity == "a")


def _delete(live: Session, pair: Pair, found: Examination, *, is_rewriting: bool) -> None:
    is_rewritten = found.writing.is_silent and _is_rewritten(pair, is_rewriting)
    operations = ("r" if found.mode == "replace" else "") + ("c" if is_rewritten else "")
    if not operations:
        return
    if pair.key:
        live.execute(
            sql.SQL("DELETE FROM {} AS t USING {} AS k WHERE {} AND {}").format(
                pair.live.rows_of, temporary("keys", pair), which(operations), key_match(pair.live, pair)
            )
        )
    else:
        live.execute(
            sql.SQL(
                "DELETE FROM {} AS d USING (SELECT t.holdfast_part, t.holdfast_place FROM {} WHERE {}) AS t"
                " WHERE d.tableoid OPERATOR(pg_catalog.=) t.holdfast_part"
                " AND d.ctid OPERATOR(pg_catalog.=) t.holdfast_place"
            ).format(pair.live.rows_of, matched(pair.live, pair), which(operations))
        )


def _update(live: Session, pair: Pair, columns: Iterable[str], operations: str) -> None:
    settable = [name for name in columns if name not in pair.key and name not in _fixed(pair)]
    if not pair.key or not settable:
        return
    values = COMMA.join([sql.SQL("{} = {}").format(sql.Identifier(name), _staged(pair, name)) for name in settable])
    live.execute(
        sql.SQL("UPDATE {} AS t SET {} FROM {} AS s WHERE {} AND {}").format(
            pair.live.rows_of, values, temporary("stage", pair), which(operations, "s"), _same_row(pair, "t")
        )
    )


def _insert(live: Session, pair: Pair, found: Examination, *, is_rewriting: bool) -> None:
    left_out = _broken_columns(pair, found)
    values: Sequence[sql.Composable] = [
        sql.SQL("NULL") if name in left_out else _staged(pair, name) for name in pair.columns
    ]
    live.execute(
        sql.SQL("INSERT INTO {} ({}) OVERRIDING SYSTEM VALUE SELECT {} FROM {} AS s WHERE {}").format(
            pair.live.name.identifier,
            _names(pair.columns),
            COMMA.join(values),
            temporary("stage", pair),
            which("a", "s"),
        )
    )
    if found.writing.is_silent and _is_rewritten(pair, is_rewriting):
        # What only live's rows have, they keep.
        kept = [_old(pair, name) for name in pair.live_only]
        live.execute(
            sql.SQL(
                "INSERT INTO {} ({}) OVERRIDING SYSTEM VALUE SELECT {} FROM {} AS s JOIN {} AS o ON {} WHERE {}"
            ).format(
                pair.live.name.identifier,
                _names([*pair.columns, *pair.live_only]),
                COMMA.join([*[_staged(pair, name) for name in pair.columns], *kept]),
                temporary("stage", pair),
                temporary("old", pair),
                AND.join(
                    [equal(column_of(pair.live, name), _old(pair, name), _staged(pair, name)) for name in pair.key]
                ),
                AND.join([which("c", "s"), which("c", "o")]),
            )
        )


def _fill(live: Session, found: Examination) -> None:
    """Now that all rows are there, the references of a circle."""
    for pair in found.writing.order:
        if columns := _broken_columns(pair, found):
            _update(live, pair, columns, "a")


def _broken_columns(pair: Pair, found: Examination) -> tuple[str, ...]:
    broken = {
        name
        for link in found.writing.broken
        if link.child_pair is not None and link.child_pair.number == pair.number
        for name in link.key.columns
    }
    return tuple(name for name in pair.columns if name in broken)


def _names(columns: Iterable[str]) -> sql.Composed:
    return COMMA.join([sql.Identifier(name) for name in columns])


def _staged(pair: Pair, name: str) -> sql.Composable:
    return sql.Identifier("s", f"c{pair.columns.index(name) + 1}")


def _old(pair: Pair, name: str) -> sql.Composable:
    return sql.Identifier("o", f"c{pair.writable.index(name) + 1}")


def _same_row(pair: Pair, alias: str) -> sql.Composed:
    return AND.join(
        [equal(column_of(pair.live, name), sql.Identifier(alias, name), _staged(pair, name)) for name in pair.key]
    )


def _said(error: psycopg.Error) -> str:
    """The server's words without its detail, which quotes rows."""
    return error.diag.message_primary or type(error).__name__

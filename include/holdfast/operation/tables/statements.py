"""The statements by which the staged rows of one table get into live; all of them whole sets."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from psycopg import sql

from holdfast.operation.tables.examining import Examination
from holdfast.operation.tables.pairing import Pair, column_of
from holdfast.operation.tables.phrases import AND, COMMA, equal, key_match, matched, temporary, which
from holdfast.postgres.session import Session


def is_rewritten(pair: Pair, found: Examination, is_rewriting: bool) -> bool:
    """Are changed rows deleted and inserted? A column that is always an identity cannot be updated.

    Only where no trigger fires: a deletion would take along, or be refused for, those who refer to the row.
    """
    if not found.writing.is_silent or not pair.key:
        return False
    return is_rewriting or bool(set(_fixed(pair)) - set(pair.key))


def _fixed(pair: Pair) -> tuple[str, ...]:
    return tuple(name for name in pair.columns if column_of(pair.live, name).identity == "a")


def delete(live: Session, pair: Pair, found: Examination, *, is_rewriting: bool) -> None:
    """Delete rows that only live has, and those that are written anew."""
    operations = "r" if found.mode == "replace" else ""
    operations += "c" if is_rewritten(pair, found, is_rewriting) else ""
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


def update(live: Session, pair: Pair, columns: Iterable[str], operations: str) -> None:
    """Give ``columns`` of changed (``c``) or added (``a``) rows the backup's values."""
    settable = [name for name in columns if name not in pair.key and name not in _fixed(pair)]
    if not pair.key or not settable:
        return
    values = COMMA.join([sql.SQL("{} = {}").format(sql.Identifier(name), _staged(pair, name)) for name in settable])
    live.execute(
        sql.SQL("UPDATE {} AS t SET {} FROM {} AS s WHERE {} AND {}").format(
            pair.live.rows_of, values, temporary("stage", pair), which(operations, "s"), _same_row(pair, "t")
        )
    )


def insert(live: Session, pair: Pair, found: Examination, *, is_rewriting: bool) -> None:
    """Insert what live lacks, and what is written anew; the references of a circle stay empty for now."""
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
    if is_rewritten(pair, found, is_rewriting):
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


def fill(live: Session, found: Examination) -> None:
    """Now that all rows are there, the references of a circle."""
    for pair in found.writing.order:
        if columns := _broken_columns(pair, found):
            update(live, pair, columns, "a")


def empty(live: Session, found: Examination) -> None:
    """The references of a circle go before its rows do."""
    for pair in found.writing.order if found.mode == "replace" else ():
        if columns := _broken_columns(pair, found):
            values = COMMA.join([sql.SQL("{} = NULL").format(sql.Identifier(name)) for name in columns])
            live.execute(
                sql.SQL("UPDATE {} AS t SET {} FROM {} AS k WHERE {} AND {}").format(
                    pair.live.rows_of, values, temporary("keys", pair), which("r"), key_match(pair.live, pair)
                )
            )


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

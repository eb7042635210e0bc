"""Looks for references that would break, before anything is written: to rows that are missing, or would be gone."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import batched

from psycopg import sql

from holdfast.operation.tables.comparing import SHOWN, Difference
from holdfast.operation.tables.links import Link, no_value_missing
from holdfast.operation.tables.pairing import Pair, column_of
from holdfast.operation.tables.phrases import AND, COMMA, cast, equal, key_match, listed, matched, temporary, which
from holdfast.operation.tables.request import Mode
from holdfast.operation.tables.sessions import Backup
from holdfast.postgres.relations import Column, Relation
from holdfast.postgres.session import Session

_BATCH = 1000
Values = tuple[str, ...]


def missing_parents(link: Link, backup: Backup, live: Session) -> str | None:
    """A fault in words where restored rows refer to rows of a table that is not chosen, and that live lacks."""
    pair = link.child_pair
    if pair is None or link.parent_pair is not None or not set(link.key.columns) <= set(pair.columns):
        return None
    found, first = 0, list[Values]()
    for batch in batched(_referred(link, pair, backup), _BATCH):
        for values in _absent(live, link.parent, link.parent_columns, batch):
            found += 1
            first = sorted([*first, values])[:SHOWN]
    if not found:
        return None
    return (
        f"{pair.title}: rows to restore refer ({link.key.name}) to {found} rows of {link.parent.name} that live lacks: "
        f"{_shown(link.key.referenced_columns, first, found)}; choose {link.parent.name} too"
    )


def orphaned_children(link: Link, difference: Difference, backup: Backup, live: Session, mode: Mode) -> str | None:
    """A fault in words where rows of a table that is not chosen refer to rows that would be gone."""
    pair = link.parent_pair
    if pair is None or link.child_pair is not None or not pair.key:
        return None
    names = set(link.key.referenced_columns)
    is_known = names <= set(pair.columns)
    # A row that keeps its key, or what the backup does not know, keeps those who refer to it.
    operations = ("r" if mode == "replace" else "") + ("c" if is_known and not names <= set(pair.key) else "")
    if not (difference.removed if "r" in operations else 0) + (difference.changed if "c" in operations else 0):
        return None
    rows, found, first = 0, 0, list[Values]()
    for batch in batched(_keys(pair, backup, operations), _BATCH):
        used = dict(_in_use(link, pair, live, batch))
        gone = _absent(backup.writer, pair.backup, _columns(pair.backup, link), used) if is_known else list(used)
        rows += sum(used[values] for values in gone)
        found += len(gone)
        first = sorted([*first, *gone])[:SHOWN]
    if not found:
        return None
    action = f" {link.action}" if link.action else ""
    return (
        f"{pair.title}: {rows} rows of {link.child.name} refer ({link.key.name}{action}) to {found} rows that would be "
        f"gone: {_shown(link.key.referenced_columns, first, found)}; choose {link.child.name} too, or merge"
    )


def _columns(relation: Relation, link: Link) -> tuple[Column, ...]:
    return tuple(column_of(relation, name) for name in link.key.referenced_columns)


def _referred(link: Link, pair: Pair, backup: Backup) -> Iterator[Values]:
    """What the rows to restore refer to, each once."""
    values = COMMA.join([sql.SQL("t.{}::pg_catalog.text").format(sql.Identifier(name)) for name in link.key.columns])
    query = sql.SQL("SELECT DISTINCT {} FROM {} WHERE {} AND {}").format(
        values, matched(pair.backup, pair), which("ac"), no_value_missing(link, sql.Identifier("t"))
    )
    yield from _streamed(backup.writer, query)


def _keys(pair: Pair, backup: Backup, operations: str) -> Iterator[Values]:
    keys = COMMA.join([sql.Identifier("k", f"k{n}") for n in range(1, len(pair.key) + 1)])
    table = temporary("keys", pair)
    yield from _streamed(
        backup.writer, sql.SQL("SELECT {} FROM {} AS k WHERE {}").format(keys, table, which(operations))
    )


def _streamed(session: Session, query: sql.Composed) -> Iterator[Values]:
    # Held, because other queries of the same session run between two fetches.
    with session.cursor(name="holdfast_values", withhold=True) as cursor:
        cursor.itersize = _BATCH
        cursor.execute(query)
        yield from cursor


def _absent(session: Session, table: Relation, columns: tuple[Column, ...], values: Iterable[Values]) -> list[Values]:
    """Those of the values that no row of the table has."""
    rows = list(values)
    if not rows:
        return []
    match = AND.join(
        [
            equal(column, sql.Identifier("p", column.name), cast(column, sql.Identifier("v", f"v{n}")))
            for n, column in enumerate(columns, 1)
        ]
    )
    query = sql.SQL("SELECT v.* FROM {} WHERE NOT EXISTS (SELECT FROM {} AS p WHERE {})").format(
        listed(rows, len(columns)), table.rows_of, match
    )
    return [tuple(row) for row in session.execute(query).fetchall()]


def _in_use(link: Link, pair: Pair, live: Session, keys: Iterable[Values]) -> Iterator[tuple[Values, int]]:
    """(what is referred to in the rows of these keys, how many rows refer to it)."""
    names = link.key.referenced_columns
    values = COMMA.join([sql.SQL("t.{}::pg_catalog.text").format(sql.Identifier(name)) for name in names])
    refers = AND.join(
        [
            equal(parent, sql.Identifier("c", child.name), sql.Identifier("t", parent.name))
            for child, parent in zip(link.child_columns, _columns(pair.live, link), strict=True)
        ]
    )
    listing = sql.SQL("(SELECT {} FROM {}) AS k").format(
        COMMA.join(
            [
                sql.SQL("{} AS {}").format(sql.Identifier("v", f"v{n}"), sql.Identifier(f"k{n}"))
                for n in range(1, len(pair.key) + 1)
            ]
        ),
        listed(keys, len(pair.key)),
    )
    query = sql.SQL("SELECT pg_catalog.count(*), {} FROM {} JOIN {} AS t ON {} JOIN {} AS c ON {} GROUP BY {}").format(
        values, listing, pair.live.rows_of, key_match(pair.live, pair), link.child.rows_of, refers, values
    )
    for count, *found in live.execute(query).fetchall():
        yield tuple(found), count


def _shown(columns: Iterable[str], values: list[Values], count: int) -> str:
    names = tuple(columns)
    each = ["; ".join([f"{name}={value}" for name, value in zip(names, row, strict=True)]) for row in values[:SHOWN]]
    more = f", and {count - len(each)} more" if count > len(each) else ""
    return ", ".join(each) + more

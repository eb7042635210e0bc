"""Proves, before the commit, that live is what was planned: no row differs, and no reference leads nowhere."""

from __future__ import annotations

from psycopg import sql

from holdfast.errors import RestoreError
from holdfast.operation.tables.comparing import compare
from holdfast.operation.tables.examining import Examination
from holdfast.operation.tables.links import Link, no_value_missing
from holdfast.operation.tables.pairing import Pair
from holdfast.operation.tables.phrases import AND, equal, key_match, temporary, which
from holdfast.operation.tables.sessions import Backup
from holdfast.postgres.session import Session
from holdfast.progress import Progress

_HINT = "Nothing was changed."


def demand_equal(live: Session, found: Examination, backup: Backup, progress: Progress) -> None:
    """Compare again; raises RestoreError where any row is not as it should be now."""
    for pair in found.pairs:
        progress.begin(f"compare {pair.title} again")
        now = compare(pair, backup, live, found.mode, is_kept=False)
        if left := now.touched(found.mode):
            raise RestoreError(
                f"{pair.title}: {left} rows still differ from the backup after writing; everything was rolled back",
                hint="A trigger or a rule of the table changes what is written, or a column's type cannot hold it.",
            )
        progress.end("equal")


def demand_references(live: Session, found: Examination) -> None:
    """Check every foreign key for the rows that were written or taken away; raises RestoreError for a broken one.

    Rows of other tables that are referred to are locked first as the server's own check does, so that they stay.
    """
    for link in found.links:
        if link.child_pair is not None and set(link.key.columns) <= set(link.child_pair.columns):
            if found.writing.is_silent and link.parent_pair is None:
                _hold_parents(live, link, link.child_pair)
            _demand(live, link, _dangling(link, link.child_pair), "refer to rows that are not there")
        elif link.parent_pair is not None and set(link.key.referenced_columns) <= set(link.parent_pair.writable):
            _demand(live, link, _orphaned(link, link.parent_pair), "would refer to rows that are gone")


def _demand(live: Session, link: Link, query: sql.Composed, what: str) -> None:
    row = live.execute(query).fetchone()
    if row and row[0]:
        raise RestoreError(
            f"{link.child.name}: {row[0]} rows {what} (foreign key {link.key.name} to {link.parent.name}); "
            "everything was rolled back",
            hint=f"Choose {link.parent.name if what.startswith('refer') else link.child.name} too. {_HINT}",
        )


def _written(link: Link, pair: Pair) -> sql.Composed:
    """After FROM: the child's rows that were written, as ``t``; all of them where no key tells them apart."""
    if not pair.key:
        return sql.SQL("{} AS t").format(link.child.rows_of)
    return sql.SQL("{} AS t JOIN {} AS k ON {} AND {}").format(
        link.child.rows_of, temporary("keys", pair), key_match(pair.live, pair), which("ac")
    )


def _refers(link: Link, child: str, parent: str) -> sql.Composed:
    return AND.join(
        [
            equal(there, sql.Identifier(parent, there.name), sql.Identifier(child, here.name))
            for here, there in zip(link.child_columns, link.parent_columns, strict=True)
        ]
    )


def _hold_parents(live: Session, link: Link, pair: Pair) -> None:
    live.execute(
        sql.SQL(
            "SELECT pg_catalog.count(*) FROM (SELECT FROM {} AS p WHERE EXISTS (SELECT FROM {} WHERE {})"
            " FOR KEY SHARE OF p) AS held"
        ).format(link.parent.rows_of, _written(link, pair), _refers(link, "t", "p"))
    )


def _dangling(link: Link, pair: Pair) -> sql.Composed:
    return sql.SQL("SELECT pg_catalog.count(*) FROM {} WHERE {} AND NOT EXISTS (SELECT FROM {} AS p WHERE {})").format(
        _written(link, pair), no_value_missing(link, sql.Identifier("t")), link.parent.rows_of, _refers(link, "t", "p")
    )


def _orphaned(link: Link, pair: Pair) -> sql.Composed:
    old = AND.join(
        [
            equal(there, sql.Identifier("o", f"c{pair.writable.index(there.name) + 1}"), sql.Identifier("c", here.name))
            for here, there in zip(link.child_columns, link.parent_columns, strict=True)
        ]
    )
    return sql.SQL(
        "SELECT pg_catalog.count(*) FROM {} AS c WHERE EXISTS (SELECT FROM {} AS o WHERE {})"
        " AND NOT EXISTS (SELECT FROM {} AS p WHERE {})"
    ).format(link.child.rows_of, temporary("old", pair), old, link.parent.rows_of, _refers(link, "c", "p"))

"""Brings the rows that differ into temporary tables of the live session: what to write, and what that replaces."""

from __future__ import annotations

from collections.abc import Sequence

from psycopg import sql

from holdfast.errors import RestoreError
from holdfast.operation.tables.comparing import Difference, make_keys
from holdfast.operation.tables.phrases import COMMA, each, matched, temporary, which
from holdfast.operation.tables.request import Mode
from holdfast.operation.tables.sessions import Backup
from holdfast.postgres.session import Session

_DROPPED = sql.SQL("ON COMMIT DROP")


def stage(live: Session, backup: Backup, difference: Difference, mode: Mode) -> None:
    """Fill ``keys``, ``stage`` (the backup's rows, as c1, c2, …) and ``old`` (live's, likewise, all columns)."""
    pair = difference.pair
    keys, staged, old = (temporary(what, pair) for what in ("keys", "stage", "old"))
    make_keys(live, pair, ending=_DROPPED)
    _pump(backup.writer, sql.SQL("COPY {} TO STDOUT").format(keys), live, sql.SQL("COPY {} FROM STDIN").format(keys))
    live.execute(
        sql.SQL(
            "CREATE TEMPORARY TABLE {} {} AS SELECT ''::pg_catalog.text AS op, {} FROM {} AS t WITH NO DATA"
        ).format(staged, _DROPPED, _as_numbered(pair.columns), pair.live.rows_of)
    )
    rows = sql.SQL("SELECT k.op, {} FROM {} WHERE {}").format(
        each("t", pair.columns), matched(pair.backup, pair), which("ac")
    )
    found = _pump(
        backup.writer,
        sql.SQL("COPY ({}) TO STDOUT").format(rows),
        live,
        sql.SQL("COPY {} FROM STDIN").format(staged),
    )
    replaced = live.execute(
        sql.SQL("CREATE TEMPORARY TABLE {} {} AS SELECT k.op AS op, {} FROM {} WHERE {}").format(
            old,
            _DROPPED,
            _as_numbered(pair.writable),
            matched(pair.live, pair),
            which("rc" if mode == "replace" else "c"),
        )
    ).rowcount
    expected = difference.added + difference.changed, difference.touched(mode) - difference.added
    if (found, replaced) != expected:
        raise RestoreError(
            f"{pair.title}: {found} rows of the backup and {replaced} of live were found by their keys "
            f"instead of {expected[0]} and {expected[1]}; nothing was changed",
            hint="An index of the table may be broken: REINDEX it, or restore into a database beside it.",
        )
    for table in (keys, staged, old):
        live.execute(sql.SQL("ANALYZE {}").format(table))


def _as_numbered(columns: Sequence[str]) -> sql.Composed:
    return COMMA.join(
        [
            sql.SQL("{} AS {}").format(sql.Identifier("t", name), sql.Identifier(f"c{n}"))
            for n, name in enumerate(columns, 1)
        ]
    )


def _pump(source: Session, out: sql.Composed, sink: Session, into: sql.Composed) -> int:
    """Rows from one session into the other, in constant memory; returns how many."""
    with source.cursor() as reading, sink.cursor() as writing:
        with reading.copy(out) as rows, writing.copy(into) as copy:
            for piece in rows:
                copy.write(piece)
        return writing.rowcount

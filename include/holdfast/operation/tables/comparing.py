"""Compares a table with the restore point's: how many rows differ, the first of them, and a hash over all."""

from __future__ import annotations

import hashlib
from collections.abc import Generator, Iterator
from contextlib import closing
from dataclasses import dataclass, field

from psycopg import Copy, sql

from holdfast.operation.tables.pairing import Pair
from holdfast.operation.tables.phrases import COMMA, temporary
from holdfast.operation.tables.request import Mode
from holdfast.operation.tables.sessions import Backup
from holdfast.operation.tables.streams import Key, Kind, merged, rows_in_order
from holdfast.postgres.session import Session

SHOWN = 20


@dataclass(frozen=True, slots=True)
class Difference:
    """Rows of one table that are only in the backup (``added``), only in live (``removed``), changed, or equal.

    ``first`` holds the first keys of each kind. ``sha256`` is over every row that would be touched: its key, and both
    sides' content.
    """

    pair: Pair
    added: int
    removed: int
    changed: int
    equal: int
    first: dict[str, tuple[str, ...]]
    sha256: str

    def touched(self, mode: Mode) -> int:
        """How many rows would be written."""
        return self.added + self.changed + (self.removed if mode == "replace" else 0)


@dataclass(slots=True)
class _Tally:
    """Counts on the way."""

    mode: Mode
    counts: dict[str, int] = field(default_factory=lambda: dict.fromkeys("arc=", 0))
    first: dict[str, list[str]] = field(default_factory=lambda: {kind: [] for kind in "arc"})
    sha256: hashlib._Hash = field(default_factory=hashlib.sha256)

    def add(self, pair: Pair, kind: Kind, key: Key, count: int, *sides: bytes | int | None) -> None:
        self.counts[kind] += count
        if kind == "=":
            return
        if len(self.first[kind]) < SHOWN:
            self.first[kind].append(shown_key(pair, key))
        if kind != "r" or self.mode == "replace":
            self.sha256.update(repr((kind, key, *sides)).encode() + b"\n")


def compare(pair: Pair, backup: Backup, live: Session, mode: Mode, *, is_kept: bool = True) -> Difference:
    """Compare; ``is_kept`` leaves the keys of rows that differ in a temporary table of ``backup.writer``."""
    tally = _Tally(mode)
    rows = _events(pair, backup, live)
    with closing(rows):
        if is_kept:
            _make_keys(backup.writer, pair)
            into = sql.SQL("COPY {} FROM STDIN").format(temporary("keys", pair))
            with backup.writer.cursor() as cursor, cursor.copy(into) as copy:
                _take(pair, rows, tally, copy)
            backup.writer.execute(sql.SQL("ANALYZE {}").format(temporary("keys", pair)))
        else:
            _take(pair, rows, tally, None)
    return Difference(
        pair=pair,
        added=tally.counts["a"],
        removed=tally.counts["r"],
        changed=tally.counts["c"],
        equal=tally.counts["="],
        first={kind: tuple(keys) for kind, keys in tally.first.items()},
        sha256=tally.sha256.hexdigest(),
    )


def shown_key(pair: Pair, key: Key) -> str:
    """A row's key for people: ``id=7``; without one, how its content's hash begins."""
    if not pair.key:
        return f"row {str(key[0])[:16]}"
    return ", ".join(f"{name}={value}" for name, value in zip(pair.key, key, strict=True))


def make_keys(session: Session, pair: Pair, *, ending: sql.SQL) -> None:
    """A session's temporary table for the keys of rows that differ."""
    width = max(1, len(pair.key))
    columns = COMMA.join([sql.SQL("{} pg_catalog.text").format(sql.Identifier(f"k{n}")) for n in range(1, width + 1)])
    session.execute(
        sql.SQL("CREATE TEMPORARY TABLE {} (op pg_catalog.text, n pg_catalog.int8, {}) {}").format(
            temporary("keys", pair), columns, ending
        )
    )


def _make_keys(session: Session, pair: Pair) -> None:
    session.execute(sql.SQL("DROP TABLE IF EXISTS {}").format(temporary("keys", pair)))
    make_keys(session, pair, ending=sql.SQL(""))


Event = tuple[Kind, Key, int, bytes | int | None, bytes | int | None]


def _take(pair: Pair, events: Iterator[Event], tally: _Tally, copy: Copy | None) -> None:
    for kind, key, count, ours, theirs in events:
        tally.add(pair, kind, key, count, ours, theirs)
        if copy is not None and kind != "=":
            copy.write_row((kind, count, *map(str, key)))


def _events(pair: Pair, backup: Backup, live: Session) -> Generator[Event, None, None]:
    with (
        closing(rows_in_order(backup.reader, pair.backup, pair)) as ours,
        closing(rows_in_order(live, pair.live, pair)) as theirs,
    ):
        for key, one, other in merged(ours, theirs):
            if pair.key:
                kind: Kind = "r" if one is None else "a" if other is None else "=" if one == other else "c"
                yield kind, key, 1, one, other
            else:
                yield from _copies(key, int(one or 0), int(other or 0))


def _copies(key: Key, ours: int, theirs: int) -> Iterator[Event]:
    """Rows that nothing tells apart: so many on one side, so many on the other."""
    if both := min(ours, theirs):
        yield "=", key, both, None, None
    if ours > theirs:
        yield "a", key, ours - theirs, ours, theirs
    elif theirs > ours:
        yield "r", key, theirs - ours, ours, theirs

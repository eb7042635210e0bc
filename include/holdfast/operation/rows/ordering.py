"""In which order rows can be inserted: parents before children, circles by way of columns that may be NULL."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from holdfast.errors import UsageError
from holdfast.operation.rows.pool import Link
from holdfast.operation.rows.texts import Row, RowId
from holdfast.postgres.relations import ForeignKey, QualifiedName, Relation

type Relations = Mapping[QualifiedName, Relation]


@dataclass(frozen=True, slots=True)
class Order:
    """Waves of rows that may be inserted one after another, each a statement per table.

    ``postponed`` are keys, by table, whose columns are NULL at first and set when all rows are there.
    """

    waves: tuple[tuple[Row, ...], ...]
    postponed: tuple[tuple[QualifiedName, ForeignKey], ...]


def order(relations: Relations, links: Iterable[Link], inserts: Sequence[Row]) -> Order:
    """Order the rows. Raises UsageError for a circle that no column which may be NULL, nor a deferrable key, opens."""
    ids = {row.id for row in inserts}
    links = [link for link in links if link.child in ids and link.parent in ids and not link.key.is_deferrable]
    waves: list[tuple[Row, ...]] = []
    postponed: list[tuple[QualifiedName, ForeignKey]] = []
    left = {row.id: row for row in inserts}
    while left:
        ready = _ready(left.keys(), links)
        if ready:
            waves.append(tuple(left.pop(id) for id in sorted(ready)))
            links = [link for link in links if link.child in left and link.parent in left]
            continue
        opened = _opening(relations, links)
        postponed.append(opened)
        links = [link for link in links if (link.child.table, link.key) != opened]
    return Order(tuple(waves), tuple(postponed))


def nullable(relations: Relations, table: QualifiedName, key: ForeignKey) -> tuple[str, ...]:
    """The columns of a key that can be left NULL at first."""
    relation = relations[table]
    return tuple(
        column.name
        for column in relation.columns
        if column.name in key.columns
        and not (column.not_null or column.is_generated or column.name in relation.primary_key)
    )


def _ready(left: Iterable[RowId], links: Sequence[Link]) -> set[RowId]:
    """Rows that need nothing which is not there; those of one table may need each other: one statement brings both."""
    ready = set(left) - {link.child for link in links if link.parent and link.parent.table != link.child.table}
    while True:
        lacking = {link.child for link in links if link.child in ready and link.parent not in ready}
        if not lacking:
            return ready
        ready -= lacking


def _opening(relations: Relations, links: Sequence[Link]) -> tuple[QualifiedName, ForeignKey]:
    """A key of the circle that can be left NULL at first."""
    across = {(link.child.table, link.key) for link in links if link.parent and link.parent.table != link.child.table}
    candidates = sorted(across, key=lambda each: (each[0], each[1].name))
    for table, key in candidates:
        if nullable(relations, table, key):
            return table, key
    named = ", ".join(f"{key.name} of {table}" for table, key in candidates)
    raise UsageError(
        f"rows refer to each other in a circle: {named}; none of these keys is deferrable or may be NULL",
        hint="Restore the tables beside live (restore_tables), and insert the rows by hand.",
    )

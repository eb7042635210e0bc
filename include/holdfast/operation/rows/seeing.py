"""What live has of the rows in question, at one moment."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from holdfast.operation.rows.pool import Pool
from holdfast.operation.rows.texts import Row, RowId, rows_with
from holdfast.postgres.relations import QualifiedName, Relation
from holdfast.postgres.session import Session


@dataclass(slots=True)
class Seen:
    """``rows``: live's own, by the restore point's ids. ``referable``: what foreign keys would find.

    That is (table, columns, values). ``holders``: whose a unique value is in live, by (id, columns).
    """

    rows: dict[RowId, Row] = field(default_factory=dict)
    referable: set[tuple[QualifiedName, tuple[str, ...], tuple[str, ...]]] = field(default_factory=set)
    holders: dict[tuple[RowId, tuple[str, ...]], RowId] = field(default_factory=dict)


def look(live: Session, pool: Pool) -> Seen:
    """Look at everything in live that decides what becomes of the pool's rows; the session must be settled."""
    seen = Seen()
    for table, rows in pool.by_table().items():
        relation = pool.relations[table]
        found = rows_with(live, relation, relation.primary_key, [row.id.key for row in rows])
        seen.rows |= {rows[index].id: standing[0] for index, standing in found.items()}
        for columns in relation.unique_keys:
            _look_for_holders(live, relation, columns, rows, seen)
    wanted: dict[tuple[QualifiedName, tuple[str, ...]], set[tuple[str, ...]]] = {}
    for link in pool.links:
        wanted.setdefault((link.key.references, link.key.referenced_columns), set()).add(link.values)
    for (table, columns), values in sorted(wanted.items()):
        sought = sorted(values)
        there = rows_with(live, pool.relations[table], columns, sought)
        seen.referable |= {(table, columns, sought[index]) for index in there}
    return seen


def _look_for_holders(
    live: Session, relation: Relation, columns: tuple[str, ...], rows: Sequence[Row], seen: Seen
) -> None:
    having = [row for row in rows if all(row.values.get(column) is not None for column in columns)]
    found = rows_with(live, relation, columns, [[row.values[each] or "" for each in columns] for row in having])
    for index, holders in found.items():
        seen.holders[having[index].id, columns] = holders[0].id

"""Decides which recovered rows can be taken back: what people have changed since, or refer to, stays."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from psycopg import sql

from holdfast.operation.rows.entries import Entry
from holdfast.operation.rows.texts import Row, RowId, equals, rows_with, sought_as, transposed
from holdfast.postgres.relations import ForeignKey, QualifiedName, Relation, referring
from holdfast.postgres.session import Session

type Relations = Mapping[QualifiedName, Relation]


@dataclass(frozen=True, slots=True)
class Undoing:
    """What becomes of live's rows; ``conflicts`` are left alone, with the reason, ``gone`` are deleted already."""

    deletes: tuple[Row, ...]
    entries: tuple[Entry, ...]
    conflicts: Mapping[RowId, str]
    gone: tuple[RowId, ...]


def decide_undo(session: Session, relations: Relations, entries: Sequence[Entry]) -> Undoing:
    """Compare what was written with live: inserted rows are deleted, overwritten ones get their old values."""
    conflicts: dict[RowId, str] = {}
    gone: list[RowId] = []
    deletes: dict[RowId, Row] = {}
    restored: list[Entry] = []
    for entry, there in _standing(session, relations, entries):
        if there is None:
            if entry.action == "insert":
                gone.append(entry.id)
            else:
                conflicts[entry.id] = "is gone"
        elif changed := [name for name in entry.columns if there.values.get(name) != entry.stands.values[name]]:
            conflicts[entry.id] = f"was changed since: {', '.join(changed)}"
        elif entry.action == "insert":
            deletes[entry.id] = there
        elif entry.before is not None:
            after = {**there.values, **{name: entry.before[name] for name in entry.columns}}
            restored.append(Entry("overwrite", entry.id, entry.columns, after, there.values))
    while needed := dict(_still_needed(session, relations, deletes)):
        conflicts |= needed
        deletes = {id: row for id, row in deletes.items() if id not in needed}
    steps = [Entry("delete", id, (), None, deletes[id].values) for id in sorted(deletes)]
    return Undoing(
        deletes=tuple(deletes[id] for id in sorted(deletes)),
        entries=(*steps, *restored),
        conflicts={id: conflicts[id] for id in sorted(conflicts)},
        gone=tuple(sorted(gone)),
    )


def _standing(session: Session, relations: Relations, entries: Sequence[Entry]) -> Iterator[tuple[Entry, Row | None]]:
    for table in sorted({entry.id.table for entry in entries}):
        of = sorted((entry for entry in entries if entry.id.table == table), key=lambda entry: entry.id)
        relation = relations.get(table)
        found = rows_with(session, relation, relation.primary_key, [each.id.key for each in of]) if relation else {}
        for index, entry in enumerate(of):
            there = found.get(index)
            # Known by the id under which it was recorded, however live writes it.
            yield entry, Row(entry.id, there[0].values) if there else None


def _still_needed(session: Session, relations: Relations, deletes: Mapping[RowId, Row]) -> Iterator[tuple[RowId, str]]:
    """Rows that others refer to which stay: to delete them would fail, or delete those others along."""
    own = {(id.table, row.texts(relations[id.table].primary_key)) for id, row in deletes.items()}
    for table in sorted({id.table for id in deletes}):
        rows = [deletes[id] for id in sorted(deletes) if id.table == table]
        for relation, key in referring(relations.values(), table):
            for index, child in _children(session, relation, key, rows):
                if (relation.name, child) not in own:
                    yield rows[index].id, f"is referred to by {relation.name} ({', '.join(child)}) through {key.name}"


def _children(
    session: Session, relation: Relation, key: ForeignKey, rows: Sequence[Row]
) -> list[tuple[int, tuple[str, ...]]]:
    """Index of the row, and primary key of who refers to it."""
    having = [
        (index, values) for index, row in enumerate(rows) if None not in (values := row.texts(key.referenced_columns))
    ]
    if not having:
        return []
    columns = [column for name in key.columns if (column := relation.column(name)) is not None]
    primary = [sql.SQL("t.{}::text").format(sql.Identifier(name)) for name in relation.primary_key]
    query = sql.SQL("SELECT {} FROM {} AS t JOIN {} ON {}").format(
        sql.SQL(", ").join([sql.SQL("s.n"), *primary]),
        relation.rows_of,
        sought_as("s", len(columns)),
        sql.SQL(" AND ").join([equals(column, index) for index, column in enumerate(columns)]),
    )
    found = session.execute(query, transposed([values for _, values in having])).fetchall()
    return [(having[number - 1][0], tuple(child)) for number, *child in found]

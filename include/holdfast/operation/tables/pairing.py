"""Pairs a live table with the same one of the restore point: which columns are compared, and by which key."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from holdfast.errors import UsageError
from holdfast.operation.tables.request import TablesRequest
from holdfast.postgres.relations import Column, QualifiedName, Relation, find_relation

_WHOLE_NUMBERS = frozenset({"smallint", "integer", "bigint"})
Relations = Mapping[QualifiedName, Relation]


@dataclass(frozen=True, slots=True)
class Pair:
    """One table on both sides. ``columns`` are those that both have and that can be written.

    ``key`` tells rows apart; where it is empty, rows are only equal or not, and counted.
    """

    number: int
    live: Relation
    backup: Relation
    columns: tuple[str, ...]
    key: tuple[str, ...]
    notes: tuple[str, ...]

    @property
    def title(self) -> str:
        """The table as PostgreSQL prints its name."""
        return str(self.live.name)

    @property
    def writable(self) -> tuple[str, ...]:
        """All columns of the live table that can be written."""
        return tuple(column.name for column in self.live.columns if not column.is_generated)

    @property
    def live_only(self) -> tuple[str, ...]:
        """Columns that can be written and that the backup does not know."""
        return tuple(name for name in self.writable if self.backup.column(name) is None)

    def is_number(self, name: str) -> bool:
        """Is the column a whole number on both sides, which sorts alike everywhere and by its index?"""
        return self._casts(name) <= _WHOLE_NUMBERS

    def is_uuid(self, name: str) -> bool:
        """Is the column a uuid on both sides?"""
        return self._casts(name) == {"uuid"}

    def _casts(self, name: str) -> set[str]:
        return {column_of(side, name).cast for side in (self.live, self.backup)}


def column_of(relation: Relation, name: str) -> Column:
    """The column, which must be there."""
    column = relation.column(name)
    assert column is not None
    return column


def choose_tables(relations: Relations, request: TablesRequest, *, where: str) -> tuple[Relation, ...]:
    """The live tables that are meant, in the order of their names; raises UsageError for what does not fit."""
    found = {
        relation.name: relation for relation in (find_relation(relations, name, where=where) for name in request.tables)
    }
    for relation in found.values():
        for above in ancestors(relations, relation):
            if above.name in found:
                raise UsageError(
                    f"table {relation.name}: is a partition of {above.name}, which is chosen too",
                    hint="Choose one of them.",
                )
    return tuple(found[name] for name in sorted(found))


def pair_tables(live: Iterable[Relation], backup: Relations) -> tuple[Pair, ...]:
    """Each chosen table with its counterpart; raises UsageError where there is none, or no column in common."""
    pairs = []
    for number, relation in enumerate(live, 1):
        other = backup.get(relation.name)
        if other is None:
            raise UsageError(f"table {relation.name}: not in this restore point")
        columns = tuple(c.name for c in relation.columns if not c.is_generated and other.column(c.name) is not None)
        if not columns:
            raise UsageError(f"table {relation.name}: no column in common with the restore point's")
        pairs.append(
            Pair(number, relation, other, columns, _key(relation, other, columns), tuple(_notes(relation, other)))
        )
    return tuple(pairs)


def ancestors(relations: Relations, relation: Relation) -> Iterator[Relation]:
    """The partitioned tables that a table is part of, nearest first."""
    while relation.partition_of is not None and relation.partition_of in relations:
        relation = relations[relation.partition_of]
        yield relation


def family(relations: Relations, relation: Relation) -> Iterator[Relation]:
    """The table and its partitions of every level."""
    yield relation
    for name in relation.partitions:
        if name in relations:
            yield from family(relations, relations[name])


def _key(live: Relation, backup: Relation, columns: Iterable[str]) -> tuple[str, ...]:
    """The primary key, else a unique one without NULLs, that both sides have; else nothing."""
    there = {frozenset(key) for key in _candidates(backup)}
    known = set(columns)
    return next((key for key in _candidates(live) if set(key) <= known and frozenset(key) in there), ())


def _candidates(relation: Relation) -> Iterator[tuple[str, ...]]:
    if relation.primary_key:
        yield relation.primary_key
    for key in relation.unique_keys:
        if all(column_of(relation, name).not_null for name in key):
            yield key


def _notes(live: Relation, backup: Relation) -> Iterator[str]:
    for column in live.columns:
        other = backup.column(column.name)
        if column.is_generated:
            yield f"column {column.name} is generated: not compared, the database computes it"
        elif other is None:
            yield f"column {column.name} is only in live: not compared; added rows get its default, others keep it"
        elif column.type != other.type:
            yield f"column {column.name} is {other.type} in the backup, {column.type} in live: compared as text"
    for column in backup.columns:
        if live.column(column.name) is None:
            yield f"column {column.name} is only in the backup: its values are not restored"

"""Follows foreign keys from rows to the rows that they refer to, until live has what is needed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from holdfast.operation.rows.lineage import Lineage
from holdfast.operation.rows.pool import Link, Pool
from holdfast.operation.rows.texts import Row, rows_with
from holdfast.postgres.relations import ForeignKey, QualifiedName, Relation
from holdfast.postgres.session import Session
from holdfast.restore.bare import BareRestore


@dataclass(slots=True)
class Follower:
    """Fills a pool with the rows of the restore point that others refer to."""

    pool: Pool
    lineage: Lineage
    restored: Mapping[QualifiedName, Relation]
    bare: BareRestore
    session: Session
    live: Session
    _loaded: set[QualifiedName] = field(default_factory=set)
    _waiting: dict[QualifiedName, list[tuple[Row, ForeignKey]]] = field(default_factory=dict)

    def follow(self, asked: Sequence[Row]) -> None:
        """Go from the asked rows to all that live would lack for them."""
        self._loaded.add(self.pool.table)
        self._await_parents(self._needing(asked))
        while self._waiting:
            # Children stand before parents: once a table's turn has come, all that is wanted of it is known.
            table = next(name for name in self.lineage.tables if name in self._waiting)
            self._look_up(table, self._waiting.pop(table))

    def _needing(self, rows: Sequence[Row]) -> Iterable[Row]:
        """Those that live lacks, or has otherwise and is to be given: only their references matter."""
        for table in sorted({row.id.table for row in rows}):
            relation = self.pool.relations[table]
            here = [row for row in rows if row.id.table == table]
            there = rows_with(self.live, relation, relation.primary_key, [row.id.key for row in here])
            for index, row in enumerate(here):
                standing = there.get(index)
                if standing is None or (self.pool.request.conflicts == "overwrite" and row.id in self.pool.asked):
                    yield row

    def _await_parents(self, rows: Iterable[Row]) -> None:
        for row in rows:
            for key in self.pool.relations[row.id.table].foreign_keys:
                # A reference with a NULL in it refers to nothing.
                if all(row.values.get(column) is not None for column in key.columns):
                    self._waiting.setdefault(key.references, []).append((row, key))

    def _look_up(self, table: QualifiedName, wanted: Sequence[tuple[Row, ForeignKey]]) -> None:
        relation = self.restored.get(table)
        keys = {key for _, key in wanted}
        usable = relation is not None and all(relation.column(each) for key in keys for each in key.referenced_columns)
        if usable:
            self._load(table, wanted)
        fresh: list[Row] = []
        for key in sorted(keys, key=lambda key: (key.name, key.columns)):
            children = [row for row, of in wanted if of == key]
            sought = [_values(row, key) for row in children]
            found = rows_with(self.session, relation, key.referenced_columns, sought) if usable and relation else {}
            for index, child in enumerate(children):
                parent = next(iter(found.get(index, ())), None)
                self.pool.links.append(Link(child.id, key, sought[index], parent.id if parent else None))
                if parent is not None and parent.id not in self.pool.rows:
                    self.pool.rows[parent.id] = parent
                    fresh.append(parent)
        self._await_parents(self._needing(fresh))

    def _load(self, table: QualifiedName, wanted: Sequence[tuple[Row, ForeignKey]]) -> None:
        if table in self._loaded:
            return
        self._loaded.add(table)
        keys = {key.referenced_columns for _, key in wanted}
        values: dict[str, Sequence[str]] | None = None
        if table not in self.lineage.circular and len(keys) == 1:
            (columns,) = keys
            tuples = {_values(row, key) for row, key in wanted}
            values = {name: sorted({each[index] for each in tuples}) for index, name in enumerate(columns)}
        self.bare.load(self.session, table, values)


def _values(row: Row, key: ForeignKey) -> tuple[str, ...]:
    return tuple(row.values[column] or "" for column in key.columns)

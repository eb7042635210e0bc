"""Which tables the rows of a table need rows of, and in which order these are best looked up."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from holdfast.postgres.relations import QualifiedName, Relation


@dataclass(frozen=True, slots=True)
class Lineage:
    """The asked table and all that foreign keys lead to from it: children stand before their parents.

    ``circular`` are those that a chain of keys leads back to, whose rows may be needed again and again.
    """

    tables: tuple[QualifiedName, ...]
    circular: frozenset[QualifiedName]


def lineage_of(relations: Mapping[QualifiedName, Relation], table: QualifiedName) -> Lineage:
    """All tables that the foreign keys of ``relations`` lead to from ``table``."""
    parents = {
        name: tuple(sorted({key.references for key in relation.foreign_keys if key.references in relations}))
        for name, relation in relations.items()
    }
    reached = {table: _reached(parents, table)}
    family = sorted(reached[table] | {table})
    reached |= {name: _reached(parents, name) for name in family}
    circular = frozenset(name for name in family if name in reached[name])
    # Who reaches more stands first; those of one circle reach the same, and come together.
    ordered = sorted(family, key=lambda name: (-len(reached[name] | {name}), name))
    return Lineage(tuple(ordered), circular)


def _reached(parents: Mapping[QualifiedName, tuple[QualifiedName, ...]], start: QualifiedName) -> set[QualifiedName]:
    """All tables that one comes to by at least one key."""
    found: set[QualifiedName] = set()
    waiting = [start]
    while waiting:
        for parent in parents[waiting.pop()]:
            if parent not in found:
                found.add(parent)
                waiting.append(parent)
    return found

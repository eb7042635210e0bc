"""Looks at the chosen tables on both sides: what differs, how it would be written, and why it could not be."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from holdfast.operation.tables.comparing import Difference, compare
from holdfast.operation.tables.links import (
    Link,
    links_of,
    may_be_empty,
    may_silence,
    only_by_triggers,
    parents_first,
    stubborn_triggers,
)
from holdfast.operation.tables.pairing import Pair, Relations, column_of, family, pair_tables
from holdfast.operation.tables.references import missing_parents, orphaned_children
from holdfast.operation.tables.request import Mode
from holdfast.operation.tables.sessions import Backup
from holdfast.postgres.facts import system_identifier
from holdfast.postgres.relations import Relation, read_relations
from holdfast.postgres.session import Session
from holdfast.progress import Progress


@dataclass(frozen=True, slots=True)
class Writing:
    """How rows are written.

    ``is_silent``: no trigger fires, and we check foreign keys ourselves. Otherwise triggers fire, tables are written in
    ``order`` (parents first), and the columns of the ``broken`` foreign keys are filled in when all rows are there.
    """

    is_silent: bool
    order: tuple[Pair, ...]
    broken: tuple[Link, ...]
    because: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Examination:
    """Everything that the plan says, as one state of live shows it."""

    mode: Mode
    database: str
    system_identifier: str
    differences: tuple[Difference, ...]
    links: tuple[Link, ...]
    writing: Writing
    triggers: tuple[str, ...]
    stubborn: tuple[str, ...]
    faults: tuple[str, ...]

    @property
    def pairs(self) -> tuple[Pair, ...]:
        """The tables, in the order of their names."""
        return tuple(difference.pair for difference in self.differences)

    @property
    def touched(self) -> int:
        """How many rows would be written."""
        return sum(difference.touched(self.mode) for difference in self.differences)


def examine(
    live: Session, relations: Relations, chosen: Sequence[Relation], backup: Backup, mode: Mode, progress: Progress
) -> Examination:
    """Compare every table, and look for what speaks against writing. Only reads live."""
    pairs = pair_tables(chosen, read_relations(backup.writer))
    differences = []
    for pair in pairs:
        progress.begin(f"compare {pair.title}")
        differences.append(compare(pair, backup, live, mode))
        progress.end(f"{differences[-1].touched(mode)} rows differ")
    links = links_of(live, relations, pairs)
    writing = _writing(live, relations, pairs, links)
    faults = [*_faults(differences, writing, mode)]
    for difference in differences:
        mine = [link for link in links if difference.pair in (link.child_pair, link.parent_pair)]
        found = [missing_parents(link, backup, live) for link in mine if link.child_pair == difference.pair]
        found += [orphaned_children(link, difference, backup, live, mode) for link in mine
                  if link.parent_pair == difference.pair]  # fmt: skip
        faults += [fault for fault in found if fault]
    return Examination(
        mode=mode,
        database=live.info.dbname,
        system_identifier=system_identifier(live),
        differences=tuple(differences),
        links=links,
        writing=writing,
        triggers=tuple(_triggers(relations, pairs)),
        stubborn=stubborn_triggers(live, relations, pairs),
        faults=tuple(faults),
    )


def _writing(live: Session, relations: Relations, pairs: Sequence[Pair], links: Sequence[Link]) -> Writing:
    unchecked = only_by_triggers(live, relations, pairs)
    is_silent = may_silence(live) and not unchecked
    because = tuple(f"constraint {name} is checked by a trigger of the server" for name in unchecked) or (
        () if is_silent else ("the role may not set session_replication_role",)
    )
    order, broken = parents_first(pairs, links)
    return Writing(is_silent, order, () if is_silent else broken, because)


def _faults(differences: Sequence[Difference], writing: Writing, mode: Mode) -> Iterator[str]:
    for difference in differences:
        pair = difference.pair
        if mode == "merge" and not pair.key:
            yield f"{pair.title}: no primary key, nor a unique one without NULLs: it can be replaced, not merged"
        if difference.added:
            for name in pair.live_only:
                column = column_of(pair.live, name)
                if column.not_null and not column.has_default and not column.identity:
                    yield f"{pair.title}: new column {name} is NOT NULL and has no default: rows cannot be added"
    for link in writing.broken:
        if not may_be_empty(link):
            yield (
                f"{link.child.name}: foreign key {link.key.name} closes a circle, is not deferrable and cannot be NULL "
                "for a moment: use a role that may set session_replication_role"
            )


def _triggers(relations: Relations, pairs: Sequence[Pair]) -> Iterator[str]:
    for pair in pairs:
        for member in family(relations, pair.live):
            yield from (f"{name} on {member.name}" for name in member.triggers)

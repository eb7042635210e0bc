"""Choose tables of an archive: their entries, what these cannot do without, and nothing of other tables."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from holdfast.errors import UsageError
from holdfast.manifest.model import Table
from holdfast.postgres.archive_list import Entry, Listing
from holdfast.postgres.tablenames import TableName, Wanted, parse_name, table_names

_TABLES = ("TABLE", "FOREIGN TABLE")

# What belongs to a table and comes with it. Not here: views, rules, publications, subscriptions.
_PARTS = (
    "TABLE DATA", "DEFAULT", "CONSTRAINT", "CHECK CONSTRAINT", "FK CONSTRAINT", "INDEX", "INDEX ATTACH",
    "TABLE ATTACH", "SEQUENCE", "SEQUENCE OWNED BY", "SEQUENCE SET", "TRIGGER", "ROW SECURITY", "POLICY",
    "STATISTICS", "STATISTICS DATA", "COMMENT", "SECURITY LABEL",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Selection:
    """Entries to restore: those of the chosen tables, and the supporting ones that these need."""

    tables: tuple[Entry, ...]
    entries: tuple[Entry, ...]
    supporting: frozenset[int]
    notes: tuple[str, ...]

    @property
    def toc(self) -> bytes:
        """The list for pg_restore --use-list, in the archive's order."""
        return "".join(f"{entry.dump_id}; \n" for entry in self.entries).encode()


def choose(listing: Listing, names: Sequence[str], *, roles: Iterable[str] = ()) -> Selection:
    """Choose tables by name: ``User``, ``"User"``, ``public.User``, ``public."User"``.

    With a table come its rows, sequences with their values, defaults, constraints, indexes, triggers,
    policies and statistics; the partitions of a partitioned table; foreign keys among chosen tables; and the
    schemas, types, functions, extensions and (empty) parent tables that these refer to. ``roles`` are the
    source's: a listing does not separate names from owners. Raises UsageError for a name that no table or
    several tables have.
    """
    graph = _Graph(listing)
    known = table_names(listing, roles)
    chosen = graph.with_partitions({_find(known, parse_name(name)) for name in names})
    parts = graph.parts_of(chosen)
    needed = graph.needed_by(chosen | parts)
    wanted = chosen | parts | needed
    tables = tuple(entry for entry in listing.entries if entry.dump_id in chosen)
    return Selection(
        tables=tables,
        entries=tuple(entry for entry in listing.entries if entry.dump_id in wanted),
        supporting=frozenset(needed - chosen - parts),
        notes=tuple(graph.notes(chosen, needed)),
    )


def choose_bare(listing: Listing, names: Sequence[str], *, roles: Iterable[str] = ()) -> Selection:
    """Choose only the definitions of tables, and of what these need to be made: no rows, keys, indexes, triggers.

    Partitions come along, attached. Names and errors are as of ``choose``.
    """
    graph = _Graph(listing)
    known = table_names(listing, roles)
    chosen = graph.with_partitions({_find(known, parse_name(name)) for name in names})
    parts = {
        entry.dump_id
        for entry in listing.of_kind("TABLE ATTACH")
        if chosen.issuperset(set(entry.depends_on) & graph.tables)
    }
    wanted = chosen | parts | graph.needed_by(chosen | parts)
    return Selection(
        tables=tuple(entry for entry in listing.entries if entry.dump_id in chosen),
        entries=tuple(entry for entry in listing.entries if entry.dump_id in wanted),
        supporting=frozenset(wanted - chosen - parts),
        notes=(),
    )


def rows_of(listing: Listing, selection: Selection) -> tuple[Entry, ...]:
    """The entries that hold the rows of the selection's tables."""
    oids = {entry.oid for entry in selection.tables}
    return tuple(entry for entry in listing.tables if entry.oid in oids)


def selected(selection: Selection, tables: Sequence[Table]) -> tuple[Table, ...]:
    """Those of the manifest's tables whose rows the selection brings."""
    oids = {entry.oid for entry in selection.tables}
    return tuple(table for table in tables if table.oid in oids)


def _find(tables: Mapping[int, TableName], wanted: Wanted) -> int:
    """The dump id of the one table that is meant.

    An unquoted name in mixed case may mean a table of exactly that case, or, as SQL reads it, another.
    """
    wanted = wanted.as_listed()
    if wanted.is_quoted:
        found = [id for id, table in tables.items() if wanted.fits(table)]
    else:
        found = [id for id, table in tables.items() if wanted.fits_loosely(table)]
    if len(found) == 1:
        return found[0]
    if not found:
        raise UsageError(
            f"table {wanted.text}: not in this restore point",
            hint="Quoted names must be exact: 'public.\"User\"'.",
        )
    candidates = sorted(str(tables[id]) for id in found)
    if len(set(candidates)) < len(candidates):
        hint = "A listing shows a line break as a space, so that these look alike: restore without --table."
    else:
        hint = "Name one of them exactly, as shown."
    raise UsageError(f"table {wanted.text}: several fit: {', '.join(candidates)}", hint=hint)


class _Graph:
    """What depends on what in an archive."""

    def __init__(self, listing: Listing) -> None:
        self._entries = {entry.dump_id: entry for entry in listing.entries}
        self.tables = {entry.dump_id for entry in listing.of_kind(*_TABLES)}
        self._dependants: dict[int, set[int]] = {}
        for entry in listing.entries:
            for needed in entry.depends_on:
                self._dependants.setdefault(needed, set()).add(entry.dump_id)
        self._parents = {
            child: set(attachment.depends_on) - {child}
            for attachment in listing.of_kind("TABLE ATTACH")
            if (child := self._child(attachment)) is not None
        }

    def with_partitions(self, tables: set[int]) -> set[int]:
        """The tables and, for partitioned ones, the partitions of every level."""
        found = set(tables)
        waiting = list(tables)
        while waiting:
            parent = waiting.pop()
            for attachment in self._of_kinds(self._dependants.get(parent, set()), ("TABLE ATTACH",)):
                child = self._child(attachment)
                if child is not None and child != parent and child not in found:
                    found.add(child)
                    waiting.append(child)
        return found

    def parts_of(self, tables: set[int]) -> set[int]:
        """Entries that belong to the tables and touch no other table."""
        found: set[int] = set()
        waiting = list(tables)
        while waiting:
            for part in self._of_kinds(self._dependants.get(waiting.pop(), set()), _PARTS):
                if part.dump_id not in found and self._tables_under(part) <= tables:
                    found.add(part.dump_id)
                    waiting.append(part.dump_id)
        return found

    def needed_by(self, ids: set[int]) -> set[int]:
        """Everything that the entries need, directly or not, beyond themselves.

        A partition is made as a table by itself and attached later: it does not need its parent.
        """
        found: set[int] = set()
        waiting = list(ids)
        while waiting:
            id = waiting.pop()
            for needed in set(self._entries[id].depends_on) - self._parents.get(id, set()) - found - ids:
                if needed in self._entries:
                    found.add(needed)
                    waiting.append(needed)
        return found

    def notes(self, chosen: set[int], needed: set[int]) -> Iterator[str]:
        """What the user would not expect."""
        for id in sorted((needed & self.tables) - chosen):
            yield f"{self._entries[id]} comes along without rows, because a chosen table needs its definition"

    def _of_kinds(self, ids: Iterable[int], kinds: Sequence[str]) -> list[Entry]:
        return [self._entries[id] for id in sorted(ids) if self._entries[id].kind in kinds]

    def _child(self, attachment: Entry) -> int | None:
        """The partition that an attachment is about: both stand under the partition's name and oid."""
        for id in attachment.depends_on:
            if id in self.tables and self._entries[id].rest == attachment.rest:
                return id
        return None

    def _tables_under(self, part: Entry) -> set[int]:
        """The tables that a part touches, itself or through the parts it stands on."""
        found: set[int] = set()
        waiting = [part]
        seen = {part.dump_id}
        while waiting:
            for id in waiting.pop().depends_on:
                entry = self._entries.get(id)
                if entry is None or id in seen:
                    continue
                seen.add(id)
                if id in self.tables:
                    found.add(id)
                elif entry.kind in _PARTS:
                    waiting.append(entry)
        return found

"""Decides what becomes of each row: inserted, overwritten, left as it is; purely, from what was seen."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from holdfast.operation.rows.pool import Link, Pool
from holdfast.operation.rows.seeing import Seen
from holdfast.operation.rows.texts import Row, RowId
from holdfast.postgres.relations import QualifiedName, referring


@dataclass(frozen=True, slots=True)
class Change:
    """A row that live has with another content in ``columns``: ``row`` is the restore point's, ``before`` live's."""

    row: Row
    before: Row
    columns: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Decision:
    """What becomes of the rows. ``parents`` are those of ``inserts`` that nobody asked for but others refer to.

    ``blocked`` are rows that cannot be written, with the reason. ``differing`` are parents that live has otherwise, and
    which are left alone.
    """

    inserts: tuple[Row, ...]
    overwrites: tuple[Change, ...]
    conflicts: tuple[Change, ...]
    same: tuple[RowId, ...]
    blocked: Mapping[RowId, str]
    parents: frozenset[RowId]
    differing: tuple[RowId, ...]

    @property
    def is_empty(self) -> bool:
        """Is there nothing to write?"""
        return not self.inserts and not self.overwrites


def decide(pool: Pool, seen: Seen) -> Decision:
    """What is to be done with the pool's rows, given what live has."""
    inserts = {id for id in pool.asked if id not in seen.rows}
    changes = {id: change for id in pool.asked if (change := _change(pool, seen, id)) is not None}
    referred = _referred_columns(pool, {id.table for id in changes})
    # Rows that refer to it would lose it, or be changed along.
    may_change = {id for id, change in changes.items() if referred[id.table].isdisjoint(change.columns)}
    overwrites = may_change if pool.request.conflicts == "overwrite" else set()
    wanted = _with_parents(pool, seen, inserts | overwrites)
    blocked = _blocked(pool, seen, wanted)
    written = _with_parents(pool, seen, (inserts | overwrites) - blocked.keys()) - blocked.keys()
    return Decision(
        inserts=tuple(pool.rows[id] for id in sorted(written - overwrites)),
        overwrites=tuple(changes[id] for id in sorted(written & overwrites)),
        conflicts=tuple(changes[id] for id in sorted(changes.keys() - written - blocked.keys())),
        same=tuple(id for id in pool.asked if id in seen.rows and id not in changes),
        blocked={id: blocked[id] for id in sorted(blocked)},
        parents=frozenset(written - overwrites - inserts),
        differing=tuple(id for id in sorted(pool.rows.keys() - set(pool.asked)) if _change(pool, seen, id) is not None),
    )


def _change(pool: Pool, seen: Seen, id: RowId) -> Change | None:
    row, before = pool.rows[id], seen.rows.get(id)
    if before is None:
        return None
    key = pool.relations[id.table].primary_key
    columns = tuple(
        name for name in pool.shared[id.table] if name not in key and row.values[name] != before.values[name]
    )
    return Change(row, before, columns) if columns else None


def _referred_columns(pool: Pool, tables: Iterable[QualifiedName]) -> dict[QualifiedName, set[str]]:
    """The columns of the tables that foreign keys refer to."""
    return {
        table: {name for _, key in referring(pool.relations.values(), table) for name in key.referenced_columns}
        for table in tables
    }


def _lacking(seen: Seen, link: Link) -> bool:
    return (link.key.references, link.key.referenced_columns, link.values) not in seen.referable


def _with_parents(pool: Pool, seen: Seen, ids: set[RowId]) -> set[RowId]:
    """Those rows and the parents that live lacks for them."""
    links = pool.links_of()
    found, waiting = set(ids), list(ids)
    while waiting:
        for link in links.get(waiting.pop(), ()):
            parent = link.parent
            if parent is not None and parent not in found and parent not in seen.rows and _lacking(seen, link):
                found.add(parent)
                waiting.append(parent)
    return found


def _blocked(pool: Pool, seen: Seen, wanted: set[RowId]) -> dict[RowId, str]:
    """Rows that live would refuse, and all that need one of these."""
    blocked: dict[RowId, str] = {}
    for (id, columns), holder in sorted(seen.holders.items()):
        before = seen.rows.get(id)
        if id in wanted and holder.key != (before.id.key if before else None):
            whose = f"another row in live: {shown_key(pool, holder)}"
            blocked.setdefault(id, f"its {', '.join(columns)} is that of {whose}")
    links = pool.links_of()
    while True:
        more = {
            id: _why_without(pool, link)
            for id in wanted - blocked.keys()
            for link in links.get(id, ())
            if _lacking(seen, link) and (link.parent not in wanted or link.parent in blocked)
        }
        if not more:
            return blocked
        blocked |= more


def _why_without(pool: Pool, link: Link) -> str:
    what = f"{link.key.references} ({', '.join(link.key.referenced_columns)}) that {link.key.name} refers to"
    if link.parent is None:
        return f"neither live nor the restore point has the row of {what}"
    return f"live has no row of {what}, and it cannot be inserted either"


def shown_key(pool: Pool, id: RowId) -> str:
    """A row's primary key for people."""
    names = pool.relations[id.table].primary_key
    return ", ".join(f"{name}={value}" for name, value in zip(names, id.key, strict=True))

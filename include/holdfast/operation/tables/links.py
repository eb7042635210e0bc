"""Foreign keys around the chosen tables, and what else of the live catalog decides how they can be written."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from psycopg import sql

from holdfast.operation.tables.pairing import Pair, Relations, ancestors, column_of, family
from holdfast.postgres.relations import Column, ForeignKey, QualifiedName, Relation
from holdfast.postgres.session import Session

# What the server checks by triggers of its own, which a session in the role of a replica leaves out, and which cannot
# be looked up afterwards by comparing columns: deferrable unique and exclusion constraints, foreign keys of periods.
_ONLY_BY_TRIGGERS = """
SELECT k.conname FROM pg_catalog.pg_constraint k
 WHERE (k.contype IN ('p', 'u', 'x') AND k.condeferrable AND k.conrelid = ANY (%(oids)s))
    OR (k.contype = 'f' AND (k.conrelid = ANY (%(oids)s) OR k.confrelid = ANY (%(oids)s))
        AND coalesce((pg_catalog.to_jsonb(k) ->> 'conperiod')::boolean, false))
 ORDER BY k.conname COLLATE "C"
"""
_MAY_SILENCE_15 = "SELECT pg_catalog.has_parameter_privilege('session_replication_role', 'SET')"
_MAY_SILENCE = "SELECT rolsuper FROM pg_catalog.pg_roles WHERE rolname = current_user"
_ACTIONS = """
SELECT n.nspname, c.relname, k.conname, k.confdeltype::text
  FROM pg_catalog.pg_constraint k
  JOIN pg_catalog.pg_class c ON c.oid = k.conrelid
  JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
 WHERE k.contype = 'f' AND k.confdeltype IN ('c', 'n', 'd')
"""
_STUBBORN = """
SELECT tgname FROM pg_catalog.pg_trigger
 WHERE NOT tgisinternal AND tgenabled IN ('A', 'R') AND tgrelid = ANY (%(oids)s)
 ORDER BY tgname COLLATE "C"
"""
_ACTION_NAMES = {"c": "ON DELETE CASCADE", "n": "ON DELETE SET NULL", "d": "ON DELETE SET DEFAULT"}


@dataclass(frozen=True, slots=True)
class Link:
    """A foreign key: rows of ``child`` refer to rows of ``parent``. A pair is given where that side is chosen."""

    child: Relation
    key: ForeignKey
    parent: Relation
    child_pair: Pair | None
    parent_pair: Pair | None
    action: str = ""

    @property
    def child_columns(self) -> tuple[Column, ...]:
        """The columns that refer."""
        return tuple(column_of(self.child, name) for name in self.key.columns)

    @property
    def parent_columns(self) -> tuple[Column, ...]:
        """The columns that are referred to."""
        return tuple(column_of(self.parent, name) for name in self.key.referenced_columns)


def links_of(session: Session, relations: Relations, pairs: Sequence[Pair]) -> tuple[Link, ...]:
    """Every foreign key from or to a chosen table or its partitions; copies in partitions are left out."""
    members = {member.name: pair for pair in pairs for member in family(relations, pair.live)}
    above = {each.name: pair for pair in pairs for each in ancestors(relations, pair.live)}
    chosen = {pair.live.name for pair in pairs}
    actions = {
        (QualifiedName(schema, table), key): _ACTION_NAMES[action]
        for schema, table, key, action in session.execute(_ACTIONS).fetchall()
    }
    found = []
    for relation in relations.values():
        for key in relation.foreign_keys if relation.name in chosen else _own(relations, relation):
            parent_pair = members.get(key.references) or above.get(key.references)
            child_pair = members.get(relation.name)
            if (child_pair or parent_pair) and key.references in relations:
                action = actions.get((relation.name, key.name), "")
                found.append(Link(relation, key, relations[key.references], child_pair, parent_pair, action))
    return tuple(found)


def may_silence(session: Session) -> bool:
    """May the role keep triggers from firing?"""
    asked = _MAY_SILENCE_15 if session.info.server_version >= 150_000 else _MAY_SILENCE
    row = session.execute(asked).fetchone()
    return bool(row and row[0])


def only_by_triggers(session: Session, relations: Relations, pairs: Sequence[Pair]) -> tuple[str, ...]:
    """Names of constraints that only the server's own triggers can check."""
    oids = [member.oid for pair in pairs for member in family(relations, pair.live)]
    return tuple(name for (name,) in session.execute(_ONLY_BY_TRIGGERS, {"oids": oids}).fetchall())


def stubborn_triggers(session: Session, relations: Relations, pairs: Sequence[Pair]) -> tuple[str, ...]:
    """Triggers of the chosen tables that fire even where others are silenced: ENABLE ALWAYS, ENABLE REPLICA."""
    oids = [member.oid for pair in pairs for member in family(relations, pair.live)]
    return tuple(name for (name,) in session.execute(_STUBBORN, {"oids": oids}).fetchall())


def parents_first(pairs: Sequence[Pair], links: Sequence[Link]) -> tuple[tuple[Pair, ...], tuple[Link, ...]]:
    """The chosen tables, those that others refer to first; and the keys of circles that no order satisfies.

    Deferrable keys and those within one table need no order.
    """
    waiting = {pair.number: pair for pair in pairs}
    inner, ordered, broken = list(_ordering(links)), [], []
    while waiting:
        held = {child for child, parent, _ in inner if child in waiting and parent in waiting}
        free = [number for number in waiting if number not in held]
        if not free:
            # Of the tables in circles one can be first whose keys may be empty until the others are there.
            due = {number: [link for child, parent, link in inner if child == number and parent in waiting]
                   for number in waiting}  # fmt: skip
            free = [min(waiting, key=lambda number: (not all(map(may_be_empty, due[number])), number))]
            broken += due[free[0]]
        ordered += [waiting.pop(number) for number in free]
    return tuple(ordered), tuple(broken)


def may_be_empty(link: Link) -> bool:
    """Can the child's columns be NULL for a moment?"""
    key = link.child_pair.key if link.child_pair else ()
    return bool(key) and not any(column.not_null or column.name in key for column in link.child_columns)


def _ordering(links: Sequence[Link]) -> Iterator[tuple[int, int, Link]]:
    """(number of the child's pair, of the parent's, the key) of every key between two chosen tables."""
    for link in links:
        if link.child_pair and link.parent_pair and not link.key.is_deferrable:
            child, parent = link.child_pair.number, link.parent_pair.number
            if child != parent:
                yield child, parent, link


def _own(relations: Relations, relation: Relation) -> Iterator[ForeignKey]:
    """The keys that a partition has not from the table above it."""
    inherited = {
        (key.columns, key.references, key.referenced_columns)
        for above in ancestors(relations, relation)
        for key in above.foreign_keys
    }
    for key in relation.foreign_keys:
        if (key.columns, key.references, key.referenced_columns) not in inherited:
            yield key


def no_value_missing(link: Link, value: sql.Composable) -> sql.Composed:
    """``v.v1 IS NOT NULL AND …`` for the child's columns under the alias."""
    return sql.SQL(" AND ").join(
        [sql.SQL("{}.{} IS NOT NULL").format(value, sql.Identifier(name)) for name in link.key.columns]
    )

"""Triggers of people's own on the tables that are written: kept quiet, for the rows are historical, or left to fire."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Literal

from psycopg import sql

from holdfast.operation.rows.wording import code
from holdfast.postgres.relations import QualifiedName, Relation
from holdfast.postgres.session import Session

# Of a partitioned table the partitions' own, too. Foreign keys are triggers as well, but internal: they go on working.
_LIST = """
WITH own AS (SELECT %s::oid AS relid UNION SELECT relid FROM pg_catalog.pg_partition_tree(%s::oid::regclass))
SELECT n.nspname, c.relname, t.tgname, t.tgenabled::text
  FROM own
  JOIN pg_catalog.pg_trigger t ON t.tgrelid = own.relid
  JOIN pg_catalog.pg_class c ON c.oid = t.tgrelid
  JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
 WHERE NOT t.tgisinternal AND t.tgenabled IN ('O', 'A')
 ORDER BY n.nspname, c.relname, t.tgname
"""
_MAY = "SELECT pg_catalog.pg_has_role(relowner, 'USAGE') FROM pg_catalog.pg_class WHERE oid = %s"
_RULES = """
SELECT rulename FROM pg_catalog.pg_rewrite
 WHERE ev_class = %s AND ev_type IN ('2', '3') AND ev_enabled IN ('O', 'A') ORDER BY rulename
"""


@dataclass(frozen=True, slots=True)
class Triggers:
    """The enabled triggers and rules of one table that is written, and whether the triggers will be kept quiet."""

    table: QualifiedName
    names: tuple[str, ...]
    rules: tuple[str, ...]
    are_quiet: bool

    def lines(self) -> Iterator[str]:
        """For the plan."""
        if self.names:
            become = "do not fire, for the rows are historical" if self.are_quiet else "**fire**"
            yield f"- triggers of {code(str(self.table))} {become}: {', '.join(map(code, self.names))}"
        if self.rules:
            yield f"- rules of {code(str(self.table))} apply: {', '.join(map(code, self.rules))}"


def triggers_of(
    session: Session, relations: Iterable[Relation], wish: Literal["quiet", "fire"]
) -> tuple[Triggers, ...]:
    """What would fire on the tables: only who owns a table can keep its triggers quiet."""
    found = []
    for relation in relations:
        names = tuple(dict.fromkeys(row[2] for row in session.execute(_LIST, (relation.oid, relation.oid)).fetchall()))
        may = session.execute(_MAY, (relation.oid,)).fetchone()
        rules = tuple(name for (name,) in session.execute(_RULES, (relation.oid,)).fetchall())
        found.append(Triggers(relation.name, names, rules, wish == "quiet" and bool(may and may[0])))
    return tuple(found)


@contextmanager
def quiet(session: Session, relations: Collection[Relation], triggers: Iterable[Triggers]) -> Iterator[None]:
    """Keep the triggers quiet for the block, as part of the transaction; afterwards each is as it was.

    The lock that this takes, SHARE ROW EXCLUSIVE, is the one that is held anyhow. All constraints are checked at the
    end of the block: a table with checks that still wait cannot be altered.
    """
    silent = {each.table for each in triggers if each.are_quiet}
    changed: list[tuple[str, str, str, str]] = []
    for relation in relations:
        if relation.name in silent:
            changed += session.execute(_LIST, (relation.oid, relation.oid)).fetchall()
    for schema, table, name, _ in changed:
        _alter(session, schema, table, name, "DISABLE")
    yield
    session.execute("SET CONSTRAINTS ALL IMMEDIATE")
    for schema, table, name, mode in changed:
        _alter(session, schema, table, name, "ENABLE ALWAYS" if mode == "A" else "ENABLE")


def _alter(session: Session, schema: str, table: str, name: str, what: str) -> None:
    session.execute(
        sql.SQL("ALTER TABLE ONLY {} {} TRIGGER {}").format(
            sql.Identifier(schema, table), sql.SQL(what), sql.Identifier(name)
        )
    )

"""The tables and indexes whose pages are checked, and how thoroughly each within a budget."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from holdfast.postgres.session import Session

PAGE_BYTES = 8192
# Looking each row up in an index takes many times as long as reading both: it is had for as many pages of tables, the
# smallest first, as are read in a second or so.
_THOROUGH_PAGES = (192 << 20) // PAGE_BYTES
_SMALL_PAGES = 16
_BATCH = 100

# Temporary tables are nobody's; of an index that is not valid another check tells.
_LIST = """
SELECT CASE c.relkind WHEN 'i' THEN 'index' ELSE 'table' END, c.oid::bigint, c.oid::pg_catalog.regclass::text,
       pg_catalog.pg_relation_size(c.oid) / 8192 + 1,
       CASE c.relkind
         WHEN 'i' THEN pg_catalog.pg_relation_size(i.indrelid) / 8192 + 1
         ELSE coalesce(pg_catalog.pg_relation_size(nullif(c.reltoastrelid, 0)), 0) / 8192 + 1
       END
  FROM pg_catalog.pg_class c
  JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
  JOIN pg_catalog.pg_am a ON a.oid = c.relam
  LEFT JOIN pg_catalog.pg_index i ON i.indexrelid = c.oid
  LEFT JOIN pg_catalog.pg_class t ON t.reltoastrelid = coalesce(i.indrelid, c.oid)
  LEFT JOIN pg_catalog.pg_namespace s ON s.oid = t.relnamespace
 WHERE (c.relkind = 'i' AND a.amname = 'btree' AND i.indisvalid AND i.indisready
        OR c.relkind IN ('r', 'm', 't') AND a.amname = 'heap')
   AND c.relpersistence <> 't'
   AND coalesce(s.nspname, n.nspname) !~ '^pg_' AND coalesce(s.nspname, n.nspname) <> 'information_schema'
"""


@dataclass(frozen=True, slots=True)
class Relation:
    """A table or B-tree index. ``pages``: its own; ``more_pages``: those that a thorough check reads beside them."""

    kind: Literal["table", "index"]
    oid: int
    name: str
    pages: int
    more_pages: int


@dataclass(frozen=True, slots=True)
class Look:
    """One relation to check."""

    relation: Relation
    is_thorough: bool


def list_relations(session: Session) -> list[Relation]:
    """Every table and B-tree index of the application, those of long values with them, and none of the system's."""
    return [Relation(*row) for row in session.execute(_LIST)]


def looks(relations: Iterable[Relation], thorough_pages: int = _THOROUGH_PAGES) -> list[Look]:
    """What to check, the largest first so that no session ends long after the others."""
    planned = list(_budgeted(relations, thorough_pages))
    return sorted(planned, key=lambda look: (-look.relation.pages, look.relation.oid))


def batches(planned: Sequence[Look]) -> Iterator[tuple[Look, ...]]:
    """Looks that one statement can take: thousands of tiny tables would else cost as many round trips."""
    waiting: dict[tuple[str, bool], list[Look]] = {}
    for look in planned:
        if look.relation.pages > _SMALL_PAGES:
            yield (look,)
            continue
        batch = waiting.setdefault((look.relation.kind, look.is_thorough), [])
        batch.append(look)
        if len(batch) == _BATCH:
            yield tuple(batch)
            batch.clear()
    yield from (tuple(batch) for batch in waiting.values() if batch)


def _budgeted(relations: Iterable[Relation], thorough_pages: int) -> Iterator[Look]:
    left = thorough_pages
    for relation in sorted(relations, key=lambda each: (each.more_pages, each.oid)):
        left -= relation.more_pages
        yield Look(relation, is_thorough=left >= 0)

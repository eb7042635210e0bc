"""Owners and grants of everything in a database, which a dump leaves out: read in one, and brought to another."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from holdfast.postgres.session import Session

# Every object that can have grants, with the text that ALTER, GRANT and REVOKE call it by; the server's own among
# them, for people grant those too. Left out is what follows from another object: row and array types, multiranges.
_OBJECTS = """
WITH object (kind, noun, oid, identity, schema_oid, owner, acl, letter, classid, is_bound) AS (
  SELECT 'schema', 'SCHEMA', oid, pg_catalog.quote_ident(nspname), oid, nspowner, nspacl, 'n',
         'pg_catalog.pg_namespace'::pg_catalog.regclass::oid, false
    FROM pg_catalog.pg_namespace WHERE nspname !~ '^pg_(toast|temp)'
  UNION ALL
  SELECT CASE c.relkind WHEN 'S' THEN 'sequence' WHEN 'v' THEN 'view' WHEN 'm' THEN 'materialized view'
                        WHEN 'f' THEN 'foreign table' ELSE 'table' END,
         CASE c.relkind WHEN 'S' THEN 'SEQUENCE' ELSE 'TABLE' END,
         c.oid, pg_catalog.format('%I.%I', n.nspname, c.relname), n.oid, c.relowner, c.relacl,
         CASE c.relkind WHEN 'S' THEN 's' ELSE 'r' END, 'pg_catalog.pg_class'::pg_catalog.regclass,
         -- A sequence that belongs to a column goes with its table.
         c.relkind = 'S' AND EXISTS (
           SELECT FROM pg_catalog.pg_depend d
            WHERE d.classid = 'pg_catalog.pg_class'::pg_catalog.regclass AND d.objid = c.oid AND d.objsubid = 0
              AND d.refclassid = 'pg_catalog.pg_class'::pg_catalog.regclass AND d.deptype IN ('a', 'i'))
    FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
   WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f', 'S') AND c.relpersistence <> 't' AND n.nspname !~ '^pg_(toast|temp)'
  UNION ALL
  SELECT 'routine', 'ROUTINE', p.oid,
         p.oid::pg_catalog.regprocedure::text,
         n.oid, p.proowner, p.proacl, 'f', 'pg_catalog.pg_proc'::pg_catalog.regclass, false
    FROM pg_catalog.pg_proc p JOIN pg_catalog.pg_namespace n ON n.oid = p.pronamespace
  UNION ALL
  SELECT 'type', 'TYPE', t.oid, pg_catalog.format('%I.%I', n.nspname, t.typname), n.oid, t.typowner, t.typacl, 'T',
         'pg_catalog.pg_type'::pg_catalog.regclass, false
    FROM pg_catalog.pg_type t JOIN pg_catalog.pg_namespace n ON n.oid = t.typnamespace
   WHERE t.typtype IN ('b', 'd', 'e', 'r', 'c') AND n.nspname !~ '^pg_(toast|temp)'
     AND NOT EXISTS (SELECT FROM pg_catalog.pg_type e WHERE e.typarray = t.oid)
     AND (t.typrelid = 0
       OR EXISTS (SELECT FROM pg_catalog.pg_class c WHERE c.oid = t.typrelid AND c.relkind = 'c'))
  UNION ALL
  SELECT 'language', 'LANGUAGE', oid, pg_catalog.quote_ident(lanname), NULL, lanowner, lanacl, 'l',
         'pg_catalog.pg_language'::pg_catalog.regclass, false
    FROM pg_catalog.pg_language WHERE lanpltrusted
  UNION ALL
  SELECT 'foreign data wrapper', 'FOREIGN DATA WRAPPER', oid, pg_catalog.quote_ident(fdwname), NULL, fdwowner, fdwacl,
         'F', 'pg_catalog.pg_foreign_data_wrapper'::pg_catalog.regclass, false
    FROM pg_catalog.pg_foreign_data_wrapper
  UNION ALL
  SELECT 'server', 'FOREIGN SERVER', oid, pg_catalog.quote_ident(srvname), NULL, srvowner, srvacl, 'S',
         'pg_catalog.pg_foreign_server'::pg_catalog.regclass, false
    FROM pg_catalog.pg_foreign_server
  UNION ALL
  SELECT 'large object', 'LARGE OBJECT', oid, oid::text, NULL, lomowner, lomacl, 'L',
         'pg_catalog.pg_largeobject'::pg_catalog.regclass, false
    FROM pg_catalog.pg_largeobject_metadata)
SELECT o.kind, o.noun, o.identity, pg_catalog.pg_get_userbyid(o.owner)::text,
       CASE WHEN n.nspname !~ '^pg_' AND n.nspname <> 'information_schema' THEN n.nspname::text END, o.letter,
       o.is_bound OR EXISTS (SELECT FROM pg_catalog.pg_depend d
                              WHERE d.classid = o.classid AND d.objid = o.oid AND d.deptype = 'e'),
       (SELECT pg_catalog.json_agg(pg_catalog.json_build_array(g.grantee, g.privilege, g.is_grantable))::text
          FROM (SELECT CASE WHEN a.grantee <> 0 THEN pg_catalog.pg_get_userbyid(a.grantee)::text END AS grantee,
                       a.privilege_type AS privilege, pg_catalog.bool_or(a.is_grantable) AS is_grantable
                  FROM pg_catalog.aclexplode(coalesce(o.acl, pg_catalog.acldefault(o.letter::"char", o.owner))) a
                 GROUP BY 1, 2) g)
  FROM object o LEFT JOIN pg_catalog.pg_namespace n ON n.oid = o.schema_oid
"""
_COLUMNS = """
SELECT pg_catalog.format('%I.%I', n.nspname, c.relname), a.attname::text,
       CASE WHEN g.grantee <> 0 THEN pg_catalog.pg_get_userbyid(g.grantee)::text END, g.privilege_type,
       pg_catalog.bool_or(g.is_grantable)
  FROM pg_catalog.pg_attribute a
  JOIN pg_catalog.pg_class c ON c.oid = a.attrelid
  JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
  CROSS JOIN LATERAL pg_catalog.aclexplode(a.attacl) g
 WHERE a.attacl IS NOT NULL AND NOT a.attisdropped
 GROUP BY 1, 2, 3, 4
"""
_DEFAULTS = """
SELECT pg_catalog.pg_get_userbyid(d.defaclrole)::text, n.nspname::text, d.defaclobjtype::text,
       (SELECT pg_catalog.json_agg(pg_catalog.json_build_array(
                 CASE WHEN a.grantee <> 0 THEN pg_catalog.pg_get_userbyid(a.grantee)::text END,
                 a.privilege_type, a.is_grantable))::text
          FROM pg_catalog.aclexplode(d.defaclacl) a)
  FROM pg_catalog.pg_default_acl d LEFT JOIN pg_catalog.pg_namespace n ON n.oid = d.defaclnamespace
"""

Grant = tuple[str | None, str, bool]
"""Who (None: everybody), which privilege, and whether it may be passed on."""

Grants = frozenset[Grant]
Key = tuple[str, str]
"""Kind and identity of an object, as ``table`` and ``public."User"``."""

DefaultKey = tuple[str, str | None, str]
"""Whose new objects, in which schema (None: any), of which kind (pg_default_acl's letter)."""


@dataclass(frozen=True, slots=True)
class ObjectRights:
    """An object's owner and grants; ``noun`` is what GRANT calls its kind, ``schema_name`` None in the server's own.

    ``letter`` is acldefault's. ``is_bound`` where it has its owner from something else: its table, its extension.
    """

    kind: str
    noun: str
    identity: str
    owner: str
    schema_name: str | None
    letter: str
    is_bound: bool
    grants: Grants


@dataclass(frozen=True, slots=True)
class Rights:
    """All owners and grants of one database."""

    objects: Mapping[Key, ObjectRights]
    columns: Mapping[tuple[str, str], Grants]
    defaults: Mapping[DefaultKey, Grants]

    def encode(self) -> bytes:
        """As JSON, to be kept for whoever goes on after our death; it holds names alone, no row and no secret."""
        objects = [[*_fields(each), sorted(each.grants, key=repr)] for each in self.objects.values()]
        columns = [[*key, sorted(grants, key=repr)] for key, grants in self.columns.items()]
        defaults = [[*key, sorted(grants, key=repr)] for key, grants in self.defaults.items()]
        return json.dumps({"objects": objects, "columns": columns, "defaults": defaults}).encode()

    @classmethod
    def decode(cls, data: bytes) -> Rights:
        """What ``encode`` wrote."""
        found = json.loads(data)
        each = [_as_object(*fields) for fields in found["objects"]]
        return cls(
            objects={(rights.kind, rights.identity): rights for rights in each},
            columns={(table, column): _as_grants(grants) for table, column, grants in found["columns"]},
            defaults={(role, schema, letter): _as_grants(grants) for role, schema, letter, grants in found["defaults"]},
        )


def read_rights(session: Session) -> Rights:
    """The owners and grants of the session's database, names written so that they hold in any search_path."""
    with session.transaction():
        session.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
        # Types in the arguments of functions are written as the search_path finds them.
        session.execute("SELECT pg_catalog.set_config('search_path', '', true)")
        objects = session.execute(_OBJECTS).fetchall()
        columns = session.execute(_COLUMNS).fetchall()
        defaults = session.execute(_DEFAULTS).fetchall()
    by_column: dict[tuple[str, str], set[Grant]] = {}
    for table, column, who, what, is_grantable in columns:
        by_column.setdefault((table, column), set()).add((who, what, is_grantable))
    return Rights(
        objects={
            (kind, identity): _as_object(kind, noun, identity, owner, schema, letter, bound, json.loads(grants or "[]"))
            for kind, noun, identity, owner, schema, letter, bound, grants in objects
        },
        columns={key: frozenset(grants) for key, grants in by_column.items()},
        defaults={
            (role, schema, letter): _as_grants(json.loads(grants or "[]")) for role, schema, letter, grants in defaults
        },
    )


def _as_grants(found: Iterable[tuple[str | None, str, bool]]) -> Grants:
    return frozenset((who, what, is_grantable) for who, what, is_grantable in found)


def _as_object(
    kind: str,
    noun: str,
    identity: str,
    owner: str,
    schema_name: str | None,
    letter: str,
    is_bound: bool,
    grants: Iterable[tuple[str | None, str, bool]],
) -> ObjectRights:
    return ObjectRights(kind, noun, identity, owner, schema_name, letter, is_bound, _as_grants(grants))


def _fields(each: ObjectRights) -> tuple[object, ...]:
    return (each.kind, each.noun, each.identity, each.owner, each.schema_name, each.letter, each.is_bound)

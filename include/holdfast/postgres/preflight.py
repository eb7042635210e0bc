"""Find what the role may not read before anything starts, instead of failing amid a dump."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from holdfast.errors import DatabaseError
from holdfast.postgres.conninfo import Target
from holdfast.postgres.session import Session, connect, translated

# pg_dump locks tables and partitioned tables, copies tables and reads every sequence; each needs SELECT on the
# object and USAGE on its schema. What belongs to an extension is not touched, but for its configuration tables.
# Subscriptions it leaves out, with a mere warning, for everybody but superusers, whatever else they were granted.
_OBJECTS = """
WITH dumped AS (
  SELECT c.oid, c.relkind, c.relname, n.oid AS schema_oid, n.nspname
    FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
   WHERE c.relkind IN ('r', 'p', 'S') AND c.relpersistence <> 't'
     AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
     AND (NOT EXISTS (
           SELECT FROM pg_catalog.pg_depend d
            WHERE d.classid = 'pg_catalog.pg_class'::pg_catalog.regclass AND d.objid = c.oid
              AND d.refclassid = 'pg_catalog.pg_extension'::pg_catalog.regclass AND d.deptype = 'e')
          OR EXISTS (SELECT FROM pg_catalog.pg_extension e WHERE c.oid = ANY (e.extconfig))))
SELECT DISTINCT 'schema', pg_catalog.format('%I', nspname)
  FROM dumped WHERE NOT pg_catalog.has_schema_privilege(schema_oid, 'USAGE')
UNION ALL
SELECT 'table', pg_catalog.format('%I.%I', nspname, relname)
  FROM dumped WHERE relkind <> 'S' AND NOT pg_catalog.has_table_privilege(oid, 'SELECT')
UNION ALL
SELECT 'sequence', pg_catalog.format('%I.%I', nspname, relname)
  FROM dumped WHERE relkind = 'S' AND NOT pg_catalog.has_table_privilege(oid, 'SELECT')
UNION ALL
SELECT 'policy', pg_catalog.format('%I.%I', nspname, relname)
  FROM dumped WHERE relkind <> 'S' AND pg_catalog.row_security_active(oid)
UNION ALL
SELECT 'large object', oid::text
  FROM pg_catalog.pg_largeobject_metadata
 WHERE NOT pg_catalog.pg_has_role(lomowner, 'USAGE')
   AND NOT EXISTS (SELECT FROM pg_catalog.aclexplode(lomacl) a
                    WHERE a.privilege_type = 'SELECT'
                      AND (a.grantee = 0 OR pg_catalog.pg_has_role(a.grantee, 'USAGE')))
UNION ALL
SELECT 'subscription', pg_catalog.format('%I', subname)
  FROM pg_catalog.pg_subscription
 WHERE pg_catalog.current_setting('is_superuser') <> 'on'
   AND subdbid = (SELECT oid FROM pg_catalog.pg_database WHERE datname = pg_catalog.current_database())
 ORDER BY 1, 2
"""

_MANY = 10


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that would make a dump fail or miss something, and what mends it.

    ``is_blocking`` is false for what holds no data and is easily made anew: to refuse every backup of a
    managed server for it would lose more than it saves.
    """

    what: str
    hint: str
    is_blocking: bool = True


def preflight(target: Target) -> tuple[Problem, ...]:
    """Everything that the role of ``target`` may not read although a dump must hold it."""
    with connect(target) as session, translated(target, "checking privileges"):
        return find_problems(session)


def find_problems(session: Session) -> tuple[Problem, ...]:
    """The same in a session at hand."""
    rows = session.execute(_OBJECTS).fetchall()
    return tuple(_problems(rows, _quoted(session.info.user), session.info.server_version)) if rows else ()


def require_readable(session: Session, target: Target) -> None:
    """Raises DatabaseError that names what may not be read, and how to grant it."""
    problems = [problem for problem in find_problems(session) if problem.is_blocking]
    if not problems:
        return
    named = ", ".join(problem.what for problem in problems[:_MANY])
    more = f" and {len(problems) - _MANY} more" if len(problems) > _MANY else ""
    hints = dict.fromkeys(problem.hint for problem in problems)
    raise DatabaseError(
        f"{target.describe()}: not everything may be read: {named}{more}", hint=" ".join(list(hints)[:_MANY])
    )


def _problems(rows: list[tuple[str, str]], role: str, version: int) -> Iterator[Problem]:
    # The role that reads everything came with 14.
    everything = f"GRANT pg_read_all_data TO {role};" if version >= 140000 else None
    for kind, name in rows:
        if kind == "policy":
            yield Problem(
                f"table {name}: its row-level security would hide rows",
                f"Run as a superuser: ALTER ROLE {role} BYPASSRLS;",
            )
        elif kind == "subscription":
            yield Problem(
                f"subscription {name}",
                f"Back up as a superuser, or drop the subscription {name}: a restore would lack it "
                "(membership in pg_create_subscription does not help).",
                is_blocking=False,
            )
        elif kind == "large object":
            yield Problem(f"large object {name}", f"Run: GRANT SELECT ON LARGE OBJECT {name} TO {role};")
        else:
            privilege = "USAGE" if kind == "schema" else "SELECT"
            grant = f"GRANT {privilege} ON {kind.upper()} {name} TO {role};"
            yield Problem(f"{kind} {name}", f"Run as a superuser: {everything}" if everything else f"Run: {grant}")


def _quoted(name: str) -> str:
    doubled = name.replace('"', '""')
    return f'"{doubled}"'

"""Look at a database before a restore: is it there, is it empty, is it the live one; and create it."""

from __future__ import annotations

from dataclasses import dataclass

import psycopg
from psycopg import sql

from holdfast.errors import DatabaseError, RestoreError
from holdfast.manifest.model import SourceFacts
from holdfast.postgres.conninfo import Target
from holdfast.postgres.facts import UNKNOWN, system_identifier
from holdfast.postgres.locales import Locale, candidates
from holdfast.postgres.maintenance import maintenance_session
from holdfast.postgres.session import (
    DatabaseMissing,
    Session,
    connect,
    translate,
    translated,
    without_login_triggers,
)

_SHOWN = 20

# Everything that a database made from template0 does not hold. Members of extensions do not count: a service
# may install extensions into every new database.
_USER_OBJECTS = """
WITH own AS (
  SELECT oid FROM pg_catalog.pg_namespace WHERE nspname !~ '^pg_' AND nspname <> 'information_schema'),
found (classid, objid) AS (
  SELECT 'pg_catalog.pg_class'::pg_catalog.regclass::oid, oid FROM pg_catalog.pg_class
   WHERE relnamespace IN (TABLE own) AND relkind NOT IN ('i', 'I', 't')
  UNION ALL SELECT 'pg_catalog.pg_type'::pg_catalog.regclass, oid FROM pg_catalog.pg_type
   WHERE typnamespace IN (TABLE own) AND typrelid = 0 AND typcategory <> 'A'
  UNION ALL SELECT 'pg_catalog.pg_proc'::pg_catalog.regclass, oid FROM pg_catalog.pg_proc
   WHERE pronamespace IN (TABLE own)
  UNION ALL SELECT 'pg_catalog.pg_operator'::pg_catalog.regclass, oid FROM pg_catalog.pg_operator
   WHERE oprnamespace IN (TABLE own)
  UNION ALL SELECT 'pg_catalog.pg_opclass'::pg_catalog.regclass, oid FROM pg_catalog.pg_opclass
   WHERE opcnamespace IN (TABLE own)
  UNION ALL SELECT 'pg_catalog.pg_opfamily'::pg_catalog.regclass, oid FROM pg_catalog.pg_opfamily
   WHERE opfnamespace IN (TABLE own)
  UNION ALL SELECT 'pg_catalog.pg_collation'::pg_catalog.regclass, oid FROM pg_catalog.pg_collation
   WHERE collnamespace IN (TABLE own)
  UNION ALL SELECT 'pg_catalog.pg_conversion'::pg_catalog.regclass, oid FROM pg_catalog.pg_conversion
   WHERE connamespace IN (TABLE own)
  UNION ALL SELECT 'pg_catalog.pg_ts_config'::pg_catalog.regclass, oid FROM pg_catalog.pg_ts_config
   WHERE cfgnamespace IN (TABLE own)
  UNION ALL SELECT 'pg_catalog.pg_ts_dict'::pg_catalog.regclass, oid FROM pg_catalog.pg_ts_dict
   WHERE dictnamespace IN (TABLE own)
  UNION ALL SELECT 'pg_catalog.pg_ts_parser'::pg_catalog.regclass, oid FROM pg_catalog.pg_ts_parser
   WHERE prsnamespace IN (TABLE own)
  UNION ALL SELECT 'pg_catalog.pg_ts_template'::pg_catalog.regclass, oid FROM pg_catalog.pg_ts_template
   WHERE tmplnamespace IN (TABLE own)
  UNION ALL SELECT 'pg_catalog.pg_namespace'::pg_catalog.regclass, oid FROM pg_catalog.pg_namespace
   WHERE oid IN (TABLE own) AND nspname <> 'public'
  UNION ALL SELECT 'pg_catalog.pg_event_trigger'::pg_catalog.regclass, oid FROM pg_catalog.pg_event_trigger
  UNION ALL SELECT 'pg_catalog.pg_publication'::pg_catalog.regclass, oid FROM pg_catalog.pg_publication
  UNION ALL SELECT 'pg_catalog.pg_subscription'::pg_catalog.regclass, s.oid FROM pg_catalog.pg_subscription s
    JOIN pg_catalog.pg_database d ON d.oid = s.subdbid WHERE d.datname = pg_catalog.current_database()
  UNION ALL SELECT 'pg_catalog.pg_foreign_data_wrapper'::pg_catalog.regclass, oid
    FROM pg_catalog.pg_foreign_data_wrapper
  UNION ALL SELECT 'pg_catalog.pg_foreign_server'::pg_catalog.regclass, oid FROM pg_catalog.pg_foreign_server
  UNION ALL SELECT 'pg_catalog.pg_cast'::pg_catalog.regclass, oid FROM pg_catalog.pg_cast WHERE oid >= 16384
  UNION ALL SELECT 'pg_catalog.pg_language'::pg_catalog.regclass, oid FROM pg_catalog.pg_language WHERE oid >= 16384
  UNION ALL SELECT 'pg_catalog.pg_am'::pg_catalog.regclass, oid FROM pg_catalog.pg_am WHERE oid >= 16384
  UNION ALL SELECT 'pg_catalog.pg_largeobject'::pg_catalog.regclass, oid FROM pg_catalog.pg_largeobject_metadata)
SELECT count(*) OVER (), i.type || ' ' || i.identity
  FROM found, LATERAL pg_catalog.pg_identify_object(found.classid, found.objid, 0) AS i
 WHERE NOT EXISTS (
   SELECT FROM pg_catalog.pg_depend d
    WHERE d.classid = found.classid AND d.objid = found.objid AND d.deptype = 'e')
 ORDER BY i.type NOT IN ('table', 'view'), 2
 LIMIT {shown}
"""


@dataclass(frozen=True, slots=True)
class Identity:
    """Which database it is, whatever address leads to it."""

    system_identifier: str
    database: str

    def may_be(self, other: Identity) -> bool:
        """Can both be the same one? Where a service hides its system identifier, the name alone decides."""
        is_unknown = UNKNOWN in (self.system_identifier, other.system_identifier)
        return self.database == other.database and (is_unknown or self.system_identifier == other.system_identifier)


@dataclass(frozen=True, slots=True)
class Inspection:
    """What was found at a target; ``objects`` names the first of the ``object_count`` objects of users.

    ``target`` is the same as was given, for sessions that set off no login trigger where that may be had.
    """

    target: Target
    exists: bool
    objects: tuple[str, ...]
    object_count: int
    identity: Identity
    server_major: int
    is_superuser: bool


def identity_of_source(facts: SourceFacts) -> Identity:
    """The identity of the database that a restore point was made from."""
    return Identity(facts.system_identifier, facts.database)


def inspect(target: Target) -> Inspection:
    """Look at the database, or at its server when it does not exist yet. Raises what ``connect`` raises."""
    try:
        with connect(target) as session, translated(target, "looking for objects"):
            rows = session.execute(sql.SQL(_USER_OBJECTS).format(shown=sql.Literal(_SHOWN))).fetchall()
            return _inspection(without_login_triggers(target, session), session, rows, exists=True)
    except DatabaseMissing:
        with maintenance_session(target) as session, translated(target, "looking at the server"):
            return _inspection(without_login_triggers(target, session), session, [], exists=False)


def require_fresh(inspection: Inspection, source: SourceFacts) -> None:
    """Raises RestoreError for a database that is the source itself, or that holds anything of anybody's."""
    where = inspection.target.describe()
    if inspection.exists and inspection.identity.may_be(identity_of_source(source)):
        raise RestoreError(
            f"target {where}: it is the live database that the restore point was made from",
            hint="Restore into a new database beside it, check it, then rename. "
            "If it was emptied on purpose, drop it: a restore creates it anew.",
        )
    if inspection.objects:
        count = inspection.object_count
        named = ", ".join(inspection.objects[:5]) + (", …" if count > 5 else "")
        raise RestoreError(
            f"target {where}: it is not empty: {count} objects: {named}",
            hint="Name a database that does not exist yet; a restore creates it.",
        )


def create_database(target: Target, facts: SourceFacts) -> tuple[str, ...]:
    """Create the target as the source was: encoding, locale, provider; from template0.

    Where the server lacks a locale or ICU, the nearest one that it has is taken: that changes how text is
    sorted and compared, never what is stored. Returns a note in words when that was so.
    """
    wished, *others = candidates(facts)
    with maintenance_session(target) as session:
        version = session.info.server_version
        for locale in (wished, *others):
            if not locale.is_possible(version):
                continue
            try:
                session.execute(_creation(target.database, facts.encoding, locale, version))
            except (psycopg.errors.WrongObjectType, psycopg.errors.FeatureNotSupported, psycopg.DataError):
                continue
            except psycopg.errors.InsufficientPrivilege as error:
                raise DatabaseError(
                    f"{target.describe()}: the role may not create databases",
                    hint="Create the database yourself (from template0), or run: "
                    f'ALTER ROLE "{session.info.user}" CREATEDB;',
                ) from error
            except psycopg.Error as error:
                raise translate(error, target, "creating the database") from error
            return () if locale == wished else (f"the target server has no {wished}; created with {locale} instead",)
    raise DatabaseError(
        f"{target.describe()}: the server can create no database of encoding {facts.encoding}",
        hint="Create the database yourself and restore into it.",
    )


def _creation(name: str, encoding: str, locale: Locale, version: int) -> sql.Composed:
    return sql.SQL("CREATE DATABASE {} TEMPLATE template0 ENCODING {} {}").format(
        sql.Identifier(name), sql.Literal(encoding), locale.clause(version)
    )


def _inspection(target: Target, session: Session, rows: list[tuple[int, str]], *, exists: bool) -> Inspection:
    return Inspection(
        target=target,
        exists=exists,
        objects=tuple(" ".join(name.split()) for _, name in rows),
        object_count=rows[0][0] if rows else 0,
        identity=Identity(system_identifier(session), target.database),
        server_major=session.info.server_version // 10000,
        is_superuser=session.info.parameter_status("is_superuser") == "on",
    )

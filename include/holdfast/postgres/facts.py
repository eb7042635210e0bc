"""What is true of a database beside its rows: server, locale, size, sequences, extensions, roles."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal, LiteralString

import psycopg

from holdfast.errors import DatabaseError
from holdfast.manifest.model import Extension, SourceFacts
from holdfast.postgres.sequences import read_sequences
from holdfast.postgres.session import Session

UNKNOWN = "unknown"
"""Stands for a system identifier or an LSN that a managed service does not tell."""

_SERVER = """
SELECT pg_catalog.current_setting('server_version'),
       pg_catalog.current_setting('server_version_num')::int,
       pg_catalog.pg_is_in_recovery(),
       pg_catalog.transaction_timestamp(),
       pg_catalog.current_database(),
       pg_catalog.pg_database_size(d.oid),
       pg_catalog.pg_encoding_to_char(d.encoding),
       pg_catalog.to_jsonb(d)
  FROM pg_catalog.pg_database d
 WHERE d.datname = pg_catalog.current_database()
"""

_EXTENSIONS = """
SELECT e.extname, e.extversion, n.nspname
  FROM pg_catalog.pg_extension e JOIN pg_catalog.pg_namespace n ON n.oid = e.extnamespace
 ORDER BY e.extname COLLATE "C"
"""

# pg_shdepend holds owners, grantees and the roles of policies, but no pinned role: the one that initdb made.
_ROLES = """
WITH this AS (SELECT oid, datdba FROM pg_catalog.pg_database WHERE datname = pg_catalog.current_database())
SELECT r.rolname
  FROM pg_catalog.pg_roles r, this
 WHERE r.rolname !~ '^pg_'
   AND (r.oid = this.datdba
     OR r.oid IN (SELECT d.refobjid FROM pg_catalog.pg_shdepend d
                   WHERE d.refclassid = 'pg_catalog.pg_authid'::pg_catalog.regclass
                     AND (d.dbid = this.oid
                       OR d.classid = 'pg_catalog.pg_database'::pg_catalog.regclass AND d.objid = this.oid))
     OR r.oid IN (SELECT c.relowner FROM pg_catalog.pg_class c
                    JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
                   WHERE n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'))
 ORDER BY r.rolname COLLATE "C"
"""

PROVIDERS: dict[str, Literal["libc", "icu", "builtin"]] = {"c": "libc", "i": "icu", "b": "builtin"}
"""By pg_database's letter for where a database's locale comes from."""


def read_facts(session: Session) -> SourceFacts:
    """The facts as the session's transaction sees them, without tables; sequences stand as they do now."""
    row = session.execute(_SERVER).fetchone()
    if row is None:
        raise DatabaseError("the database is missing from its own catalog")
    version, number, in_recovery, at, name, size, encoding, entry = row
    return _facts(session, version, number, in_recovery, at, name, size, encoding, entry)


def _facts(
    session: Session,
    version: str,
    number: int,
    in_recovery: bool,
    at: datetime,
    name: str,
    size: int,
    encoding: str,
    entry: dict[str, Any],
) -> SourceFacts:
    return SourceFacts(
        server_version=version,
        server_version_num=number,
        system_identifier=system_identifier(session),
        database=name,
        lsn=_lsn(session, in_recovery),
        in_recovery=in_recovery,
        snapshot_at=at,
        encoding=encoding,
        collate=entry["datcollate"],
        ctype=entry["datctype"],
        # Before 15 a database could only have libc's locales; 17 renamed the column of the others'.
        locale_provider=PROVIDERS[entry.get("datlocprovider", "c")],
        locale=entry.get("datlocale") or entry.get("daticulocale"),
        database_bytes=size,
        tables=(),
        sequences=read_sequences(session),
        extensions=tuple(Extension(name=n, version=v, schema_name=s) for n, v, s in session.execute(_EXTENSIONS)),
        roles=tuple(role for (role,) in session.execute(_ROLES)),
    )


def system_identifier(session: Session) -> str:
    """The cluster's number as initdb drew it, or UNKNOWN where the role may not read it."""
    return _optional(session, "SELECT system_identifier::text FROM pg_catalog.pg_control_system()")


def _lsn(session: Session, in_recovery: bool) -> str:
    if in_recovery:
        return _optional(session, "SELECT pg_catalog.pg_last_wal_replay_lsn()::text")
    return _optional(session, "SELECT pg_catalog.pg_current_wal_insert_lsn()::text")


def _optional(session: Session, query: LiteralString) -> str:
    """One text, or UNKNOWN where a managed service forbids or lacks the function; the transaction goes on."""
    try:
        with session.transaction():
            row = session.execute(query).fetchone()
    except (psycopg.errors.InsufficientPrivilege, psycopg.errors.UndefinedFunction, psycopg.NotSupportedError):
        return UNKNOWN
    return str(row[0]) if row and row[0] is not None else UNKNOWN

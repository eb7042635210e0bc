"""A database beside the live one, that a restore fills and a switch then puts in its place."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import psycopg
from psycopg import sql

from holdfast.errors import DatabaseError, RestoreError, UsageError
from holdfast.manifest.model import SourceFacts
from holdfast.postgres.conninfo import Target
from holdfast.postgres.database_rights import apply_database_rights, comment_on, read_database_rights
from holdfast.postgres.databases import DatabaseIdentity, identify_in
from holdfast.postgres.dropping import drop_database
from holdfast.postgres.facts import PROVIDERS
from holdfast.postgres.locales import Locale
from holdfast.postgres.maintenance import maintenance_session, unlimited_session
from holdfast.postgres.marker import Marker
from holdfast.postgres.rights import Rights, read_rights
from holdfast.postgres.rights_copy import copy_rights
from holdfast.postgres.session import Session, connect, translated, without_login_triggers
from holdfast.postgres.target import create_database, inspect
from holdfast.progress import Progress

_LIVE = """
SELECT pg_catalog.pg_get_userbyid(d.datdba), pg_catalog.pg_encoding_to_char(d.encoding),
       -- To name a tablespace takes a right of its own, which the one that template0 has anyway does not.
       CASE WHEN d.dattablespace <> template.dattablespace THEN t.spcname END,
       pg_catalog.to_jsonb(d),
       me.rolsuper OR pg_catalog.pg_has_role(d.datdba, 'MEMBER')
  FROM pg_catalog.pg_database d
  JOIN pg_catalog.pg_tablespace t ON t.oid = d.dattablespace
  JOIN pg_catalog.pg_database template ON template.datname = 'template0'
  JOIN pg_catalog.pg_roles me ON me.rolname = current_user
 WHERE d.datname = %s
"""
_COMMENT = "SELECT pg_catalog.shobj_description(%s::pg_catalog.oid, 'pg_database')"
_ROLES = """
SELECT wanted.name, r.oid IS NOT NULL, coalesce(pg_catalog.pg_has_role(r.oid, 'MEMBER'), false), me.rolsuper
  FROM pg_catalog.unnest(%s::text[]) AS wanted (name)
  LEFT JOIN pg_catalog.pg_roles r ON r.rolname = wanted.name
  JOIN pg_catalog.pg_roles me ON me.rolname = current_user
 ORDER BY 1
"""


def make_beside(live: Target, name: str, source: SourceFacts, *, marker: str) -> Target:
    """Create the empty database ``name`` beside the live one, like it: owner, encoding, locale, tablespace.

    Where there is no live database, it is made as the restore point's ``source`` was. ``marker``, a Marker's text,
    becomes its comment. What an earlier attempt of the same operation left under that name is dropped; raises
    RestoreError where anything else stands there.
    """
    wanted = Marker.read(marker)
    if wanted is None:
        raise UsageError("marker of a database beside the live one: not a marker")
    if name == live.database:
        raise RestoreError(f"{live.describe()}: a database beside the live one cannot have its name")
    beside = live.with_database(name)
    with maintenance_session(live, avoid=(live.database, name)) as session, translated(live, f"making {name}"):
        _clear_leftover(session, beside, wanted)
        row = session.execute(_LIVE, (live.database,)).fetchone()
        if row is None:
            create_database(beside, source)
        else:
            _create_like(session, live, name, row)
        comment_on(session, name, marker)
    return beside


def drop_beside(live: Target, name: str, *, operation: str) -> None:
    """Drop what that operation made beside the live database and did not switch to; nothing there is no error."""
    with maintenance_session(live, avoid=(live.database, name)) as session, translated(live, f"dropping {name}"):
        there = identify_in(session, name)
        if there is None:
            return
        marker = _marker_of(session, there)
        if marker is None or (marker.state, marker.operation) != ("beside", operation):
            raise RestoreError(f"{live.describe()}: {there} was not made by {operation}; it is left alone")
        drop_database(session, live, there)


def owner_faults(live: Target, source: SourceFacts) -> tuple[str, ...]:
    """Why a restore cannot give everything the owners that the restore point names, in words; empty where it can."""
    with maintenance_session(live, avoid=(live.database,)) as session, translated(live, "looking at roles"):
        return tuple(_owner_faults(session, source))


def take_over(live: Target, beside: Target, *, progress: Progress, have_owners: bool = True) -> tuple[str, ...]:
    """Give the restored database what no dump holds, as the live one has it now: owners, grants, settings.

    ``have_owners`` tells that the restore has set owners: else what the live database does not know becomes its
    owner's. Returns in words what could not be made the same: refusals, and objects that only one of both has.
    """
    progress.begin("rights")
    wanted = read_live_rights(live)
    notes = apply_rights(live, beside, wanted, adopts=not have_owners)
    notes += _take_over_database(live, beside)
    progress.end(f"{len(wanted.objects)} objects looked at")
    return notes


def read_live_rights(live: Target) -> Rights:
    """Owners and grants of everything in the live database as they are now."""
    with _quiet(live) as session, translated(live, "reading owners and grants"):
        return read_rights(session)


def apply_rights(live: Target, target: Target, wanted: Rights, *, adopts: bool) -> tuple[str, ...]:
    """Owners and grants of the objects in ``target``, as they were read before; see ``take_over``."""
    with maintenance_session(live, avoid=(live.database,)) as session, translated(live, "reading its owner"):
        row = session.execute(_LIVE, (live.database,)).fetchone()
    with _quiet(target) as session, translated(target, "giving owners and grants"):
        # Each object is a transaction of its own; the switch, or the next commit, makes them all durable.
        session.execute("SELECT pg_catalog.set_config('synchronous_commit', 'off', false)")
        return copy_rights(session, wanted, adopt_for=row[0] if adopts and row is not None else None)


def _take_over_database(live: Target, beside: Target) -> tuple[str, ...]:
    names = (live.database, beside.database)
    with maintenance_session(live, avoid=names) as session, translated(live, "copying the database's settings"):
        here, there = (identify_in(session, name) for name in names)
        if here is None or there is None:
            raise RestoreError(f"{live.describe()}: the server has no longer both {names[0]} and {names[1]}")
        have, wanted = (read_database_rights(session, each.oid) for each in (there, here))
        return tuple(apply_database_rights(session, beside.database, have, wanted))


def _quiet(target: Target) -> Session:
    """A session that sets off no login trigger, where that may be had."""
    with connect(target) as session:
        quiet = without_login_triggers(target, session)
    return unlimited_session(quiet)


def _clear_leftover(session: Session, beside: Target, wanted: Marker) -> None:
    """A database without a word of ours is only gone over where it holds nothing: we died before marking it."""
    there = identify_in(session, beside.database)
    if there is None:
        return
    marker = _marker_of(session, there)
    if marker is None and _comment_of(session, there) is None and not inspect(beside).objects:
        drop_database(session, beside, there)
        return
    if marker is None or (marker.state, marker.operation) != ("beside", wanted.operation):
        raise RestoreError(
            f"{beside.describe()}: the database is there already, and {wanted.operation} did not make it",
            hint="Rename it or drop it once you know whose it is.",
        )
    drop_database(session, beside, there)


def _create_like(session: Session, live: Target, name: str, row: tuple[Any, ...]) -> None:
    owner, encoding, tablespace, entry, may_give = row
    version = session.info.server_version
    locale = _locale(entry).clause(version)
    statement = sql.SQL("CREATE DATABASE {} TEMPLATE template0 ENCODING {} {}").format(
        sql.Identifier(name), sql.Literal(encoding), locale
    )
    if tablespace is not None:
        statement += sql.SQL(" TABLESPACE {}").format(sql.Identifier(tablespace))
    if may_give:
        statement += sql.SQL(" OWNER {}").format(sql.Identifier(owner))
    try:
        session.execute(statement)
    except psycopg.errors.InsufficientPrivilege as error:
        raise DatabaseError(
            f"{live.describe()}: the role may not create databases: {error.diag.message_primary}",
            hint=f'Run as a superuser: ALTER ROLE "{session.info.user}" CREATEDB;',
        ) from error


def _locale(entry: dict[str, Any]) -> Locale:
    """As the row of pg_database has it, whose columns differ from version to version."""
    provider = PROVIDERS[entry.get("datlocprovider", "c")]
    name = entry.get("datlocale") or entry.get("daticulocale")
    return Locale(provider, entry["datcollate"], entry["datctype"], name if provider != "libc" else None)


def _comment_of(session: Session, identity: DatabaseIdentity) -> str | None:
    row = session.execute(_COMMENT, (identity.oid,)).fetchone()
    return None if row is None else row[0]


def _marker_of(session: Session, identity: DatabaseIdentity) -> Marker | None:
    return Marker.read(_comment_of(session, identity))


def _owner_faults(session: Session, source: SourceFacts) -> Iterator[str]:
    me = session.info.user
    for role, exists, is_member, is_superuser in session.execute(_ROLES, (list(source.roles),)).fetchall():
        if not exists:
            yield f"role {role} of the restore point does not exist on the server, and can be given nothing"
        elif not is_superuser and not is_member:
            yield f"role {me} is not a member of role {role}, and cannot give it what it may have owned"

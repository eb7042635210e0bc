"""What belongs to a database itself and stands in no dump: owner, grants, connection limit, settings, comment."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import psycopg
from psycopg import sql

from holdfast.errors import RestoreError
from holdfast.postgres.session import Session

_ROW = """
SELECT pg_catalog.pg_get_userbyid(d.datdba), d.datconnlimit, d.datistemplate,
       pg_catalog.shobj_description(d.oid, 'pg_database')
  FROM pg_catalog.pg_database d WHERE d.oid = %s
"""
_GRANTS = """
SELECT CASE WHEN a.grantee <> 0 THEN pg_catalog.pg_get_userbyid(a.grantee)::text END,
       a.privilege_type, pg_catalog.bool_or(a.is_grantable)
  FROM pg_catalog.pg_database d,
       LATERAL pg_catalog.aclexplode(coalesce(d.datacl, pg_catalog.acldefault('d', d.datdba))) a
 WHERE d.oid = %s GROUP BY 1, 2 ORDER BY 1, 2
"""
# The value of a setting that is a list is kept as it is to be written: quoted, with commas.
_SETTINGS = """
SELECT r.rolname::text, pg_catalog.split_part(c.setting, '=', 1),
       pg_catalog.substr(c.setting, pg_catalog.strpos(c.setting, '=') + 1)
  FROM pg_catalog.pg_db_role_setting s
  LEFT JOIN pg_catalog.pg_roles r ON r.oid = s.setrole
  CROSS JOIN LATERAL pg_catalog.unnest(s.setconfig) AS c (setting)
 WHERE s.setdatabase = %s AND (s.setrole = 0 OR r.oid IS NOT NULL)
"""
# Those whose value is a list of names or files: each must be an argument of its own (source: pg_dump, dumputils.c).
_LISTS = frozenset(
    {
        "local_preload_libraries",
        "search_path",
        "session_preload_libraries",
        "shared_preload_libraries",
        "temp_tablespaces",
        "unix_socket_directories",
    }
)

_REFUSALS = (
    psycopg.errors.InsufficientPrivilege,
    psycopg.errors.UndefinedObject,
    psycopg.errors.InvalidParameterValue,
)

Grant = tuple[str | None, str, bool]
Setting = tuple[str | None, str, str]


@dataclass(frozen=True, slots=True)
class DatabaseRights:
    """A database's own properties; a grant to None is to PUBLIC, a setting of None is of every role."""

    owner: str
    connection_limit: int
    is_template: bool
    comment: str | None
    grants: frozenset[Grant]
    settings: frozenset[Setting]


def read_database_rights(session: Session, oid: int) -> DatabaseRights:
    """The properties of a database of the session's server; raises RestoreError where it has none of that oid."""
    row = session.execute(_ROW, (oid,)).fetchone()
    if row is None:
        raise RestoreError(f"database of oid {oid}: it is gone")
    grants = session.execute(_GRANTS, (oid,)).fetchall()
    settings = session.execute(_SETTINGS, (oid,)).fetchall()
    owner, limit, is_template, comment = row
    return DatabaseRights(owner, limit, is_template, comment, frozenset(grants), frozenset(settings))


def apply_database_rights(session: Session, name: str, have: DatabaseRights, wanted: DatabaseRights) -> Iterator[str]:
    """Make the database like ``wanted``, its comment apart; yields what the role may not do, in words.

    Inside or outside of a transaction: one refusal does not undo the rest.
    """
    for what, statement in _statements(sql.Identifier(name), have, wanted):
        try:
            with session.transaction():
                session.execute(statement)
        except _REFUSALS as error:
            yield f"database {name}: {what}: {error.diag.message_primary}"


def comment_on(session: Session, name: str, comment: str | None) -> None:
    """Set or, with None, take away the database's comment."""
    session.execute(
        sql.SQL("COMMENT ON DATABASE {} IS {}").format(
            sql.Identifier(name), sql.SQL("NULL") if comment is None else sql.Literal(comment)
        )
    )


def _statements(
    name: sql.Identifier, have: DatabaseRights, wanted: DatabaseRights
) -> Iterator[tuple[str, sql.Composed]]:
    if have.owner != wanted.owner:
        yield "owner", sql.SQL("ALTER DATABASE {} OWNER TO {}").format(name, sql.Identifier(wanted.owner))
        # What the former owner had as its owner goes over with it.
        swapped = {have.owner: wanted.owner}
        have_grants = frozenset(
            (swapped.get(who or "", who), what, is_grantable) for who, what, is_grantable in have.grants
        )
    else:
        have_grants = have.grants
    for who, what, _ in sorted(have_grants - wanted.grants, key=repr):
        yield f"revoke {what}", sql.SQL("REVOKE {} ON DATABASE {} FROM {}").format(sql.SQL(what), name, role(who))
    revoked = {(who, what) for who, what, _ in have_grants - wanted.grants}
    for who, what, is_grantable in sorted(wanted.grants, key=repr):
        if (who, what, is_grantable) not in have_grants or (who, what) in revoked:
            option = sql.SQL(" WITH GRANT OPTION" if is_grantable else "")
            yield (
                f"grant {what} to {who or 'PUBLIC'}",
                sql.SQL("GRANT {} ON DATABASE {} TO {}{}").format(sql.SQL(what), name, role(who), option),
            )
    if have.connection_limit != wanted.connection_limit:
        yield (
            "connection limit",
            sql.SQL("ALTER DATABASE {} CONNECTION LIMIT {}").format(name, sql.Literal(wanted.connection_limit)),
        )
    if have.is_template != wanted.is_template:
        yield "template", sql.SQL("ALTER DATABASE {} IS_TEMPLATE {}").format(name, sql.Literal(wanted.is_template))
    yield from _setting_statements(name, have, wanted)


def _setting_statements(
    name: sql.Identifier, have: DatabaseRights, wanted: DatabaseRights
) -> Iterator[tuple[str, sql.Composed]]:
    kept = {(who, setting) for who, setting, _ in wanted.settings}
    for who, setting, _ in sorted(have.settings - wanted.settings, key=repr):
        if (who, setting) not in kept:
            yield f"setting {setting}", sql.SQL("{} RESET {}").format(_subject(name, who), _setting_name(setting))
    for who, setting, value in sorted(wanted.settings - have.settings, key=repr):
        yield (
            f"setting {setting}",
            sql.SQL("{} SET {} TO {}").format(_subject(name, who), _setting_name(setting), _value(setting, value)),
        )


def _subject(name: sql.Identifier, who: str | None) -> sql.Composed:
    if who is None:
        return sql.SQL("ALTER DATABASE {}").format(name)
    return sql.SQL("ALTER ROLE {} IN DATABASE {}").format(sql.Identifier(who), name)


def _setting_name(setting: str) -> sql.Composable:
    return sql.Identifier(*setting.split("."))


def _value(setting: str, value: str) -> sql.Composable:
    if setting.lower() not in _LISTS:
        return sql.Literal(value)
    return sql.SQL(", ").join(sql.Literal(each) for each in split_list(value))


def split_list(value: str) -> list[str]:
    """The members of a list as a setting writes it: commas between, double quotes around what needs them.

    Source: PostgreSQL, SplitGUCList in varlena.c.
    """
    members: list[str] = []
    rest = value.strip()
    while rest:
        if rest.startswith('"'):
            end = 1
            while True:
                end = rest.index('"', end)
                if rest[end : end + 2] != '""':
                    break
                end += 2
            members.append(rest[1:end].replace('""', '"'))
            rest = rest[end + 1 :].lstrip().removeprefix(",").lstrip()
        else:
            bare, _, rest = rest.partition(",")
            members.append(bare.strip())
            rest = rest.lstrip()
    return members


def role(name: str | None) -> sql.Composable:
    """A grantee: the role, or PUBLIC."""
    return sql.SQL("PUBLIC") if name is None else sql.Identifier(name)

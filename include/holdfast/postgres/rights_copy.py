"""Give the objects of one database the owners and grants that their counterparts in another have."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import psycopg
from psycopg import sql

from holdfast.postgres.database_rights import role
from holdfast.postgres.rights import DefaultKey, Grants, ObjectRights, Rights, read_rights
from holdfast.postgres.session import Session

# By the letter of pg_default_acl: what ALTER DEFAULT PRIVILEGES calls them.
_DEFAULTS = {"r": "TABLES", "S": "SEQUENCES", "f": "FUNCTIONS", "T": "TYPES", "n": "SCHEMAS", "L": "LARGE OBJECTS"}
# acldefault's letter for each; it writes sequences small.
_LETTERS = {"r": "r", "S": "s", "f": "f", "T": "T", "n": "n", "L": "L"}
_ACLDEFAULT = """
SELECT CASE WHEN a.grantee <> 0 THEN pg_catalog.pg_get_userbyid(a.grantee)::text END, a.privilege_type, a.is_grantable
  FROM pg_catalog.aclexplode(pg_catalog.acldefault(%s::"char", %s::pg_catalog.regrole)) a
"""
_REFUSALS = (
    psycopg.errors.InsufficientPrivilege,
    psycopg.errors.UndefinedObject,
    psycopg.errors.UndefinedTable,
    psycopg.errors.UndefinedFunction,
    psycopg.errors.UndefinedColumn,
    psycopg.errors.InvalidSchemaName,
    psycopg.errors.FeatureNotSupported,
    psycopg.errors.WrongObjectType,
    psycopg.errors.InvalidGrantOperation,
)


@dataclass(frozen=True, slots=True)
class _Change:
    """Statements that belong together, and what they are about."""

    about: str
    statements: tuple[sql.Composed, ...]


def copy_rights(session: Session, wanted: Rights, *, adopt_for: str | None) -> tuple[str, ...]:
    """Make the session's database like ``wanted``; returns in words what stays otherwise.

    What ``wanted`` does not know gets the grants that its default privileges would give it now, and belongs to
    ``adopt_for`` where that is given and the session's role owns it. One refusal does not stop the rest.
    """
    notes: list[str] = []
    have = read_rights(session)
    me = session.info.user
    for change in _owners(have, wanted, me, adopt_for):
        notes += _done(session, change)
    refused: set[str] = set()
    for change in _changes(session, read_rights(session), wanted):
        said = list(_done(session, change))
        refused |= {change.about} if said else set()
        notes += said
    # Who may grant nothing of an object is only warned that nothing was done.
    have = read_rights(session)
    left = [change.about for change in _changes(session, have, wanted) if change.about not in refused]
    return (*notes, *(f"{about}: the role may not change them" for about in left), *_lost(have, wanted))


def _changes(session: Session, have: Rights, wanted: Rights) -> Iterator[_Change]:
    yield from _grants(have, wanted)
    yield from _columns(have, wanted)
    yield from _defaults(session, have, wanted)


def _done(session: Session, change: _Change) -> Iterator[str]:
    try:
        with session.transaction():
            for statement in change.statements:
                session.execute(statement)
    except _REFUSALS as error:
        yield f"{change.about}: {error.diag.message_primary}"


def _owners(have: Rights, wanted: Rights, me: str, adopt_for: str | None) -> Iterator[_Change]:
    for key, there in have.objects.items():
        if there.is_bound or (there.schema_name is None and there.letter in "nrsfT"):
            continue
        model = wanted.objects.get(key)
        owner = model.owner if model is not None else adopt_for if there.owner == me else None
        if owner is None or owner == there.owner or (model is not None and model.is_bound):
            continue
        noun = "SERVER" if there.kind == "server" else there.kind.upper()
        statement = sql.SQL("ALTER {} {} OWNER TO {}").format(
            sql.SQL(noun), sql.SQL(there.identity), sql.Identifier(owner)
        )
        yield _Change(f"owner of {there.kind} {there.identity}", (statement,))


def _grants(have: Rights, wanted: Rights) -> Iterator[_Change]:
    for key, there in have.objects.items():
        model = wanted.objects.get(key)
        grants = _as_owned_by(model, there.owner) if model is not None else _by_default(there, wanted)
        if grants is not None:
            on = sql.SQL("{} {}").format(sql.SQL(there.noun), sql.SQL(there.identity))
            statements = tuple(_difference(on, there.grants, grants))
            if statements:
                yield _Change(f"grants of {there.kind} {there.identity}", statements)


def _as_owned_by(model: ObjectRights, owner: str) -> Grants:
    """Where the owner could not be made the same, what the one has as owner is the other's."""
    if model.owner == owner:
        return model.grants
    return frozenset((owner if who == model.owner else who, what, grantable) for who, what, grantable in model.grants)


def _by_default(there: ObjectRights, wanted: Rights) -> Grants | None:
    """What default privileges add today to a new object of that owner in that schema; None for nothing."""
    if there.schema_name is None or (there.is_bound and there.kind != "sequence"):
        return None
    letter = "S" if there.letter == "s" else there.letter
    places = (None,) if there.kind == "schema" else (None, there.schema_name)
    added = [wanted.defaults.get((there.owner, place, letter), frozenset()) for place in places]
    return frozenset().union(there.grants, *added) if any(added) else None


def _columns(have: Rights, wanted: Rights) -> Iterator[_Change]:
    known = {identity for kind, identity in have.objects if kind in _RELATIONS}
    modelled = {identity for kind, identity in wanted.objects if kind in _RELATIONS}
    for table, column in sorted({*have.columns, *wanted.columns}):
        if table in known and table in modelled:
            there, model = (each.columns.get((table, column), frozenset()) for each in (have, wanted))
            on = sql.SQL("TABLE {}").format(sql.SQL(table))
            statements = tuple(_difference(on, there, model, column=column))
            if statements:
                yield _Change(f"grants of column {table}.{column}", statements)


_RELATIONS = ("table", "view", "materialized view", "foreign table")


def _defaults(session: Session, have: Rights, wanted: Rights) -> Iterator[_Change]:
    for key in sorted({*have.defaults, *wanted.defaults}, key=repr):
        owner, schema, letter = key
        if letter not in _DEFAULTS:
            continue
        there, model = (_default(session, each, key) for each in (have, wanted))
        place = sql.SQL("" if schema is None else " IN SCHEMA {}").format(
            *([] if schema is None else [sql.Identifier(schema)])
        )
        head = sql.SQL("ALTER DEFAULT PRIVILEGES FOR ROLE {}{} ").format(sql.Identifier(owner), place)
        on = sql.SQL(_DEFAULTS[letter])
        statements = tuple(sql.Composed([head, each]) for each in _difference(on, there, model))
        if statements:
            where = f" in schema {schema}" if schema is not None else ""
            yield _Change(f"default privileges of role {owner}{where}", statements)


def _default(session: Session, rights: Rights, key: DefaultKey) -> Grants:
    """Of all schemas: what is given instead of the built-in privileges; of one schema: what is given besides."""
    owner, schema, letter = key
    if key in rights.defaults:
        return rights.defaults[key]
    if schema is not None:
        return frozenset()
    quoted = sql.Identifier(owner).as_string(session)
    return frozenset(session.execute(_ACLDEFAULT, (_LETTERS[letter], quoted)).fetchall())


def _difference(
    on: sql.Composable, have: Grants, wanted: Grants, *, column: str | None = None
) -> Iterator[sql.Composed]:
    """REVOKE what is too much, then GRANT what is missing; whoever may pass on too much loses it all first."""
    of = sql.SQL("" if column is None else " ({})").format(*([] if column is None else [sql.Identifier(column)]))
    surplus = {(who, what) for who, what, _ in have - wanted}
    for who, what in sorted(surplus, key=repr):
        yield sql.SQL("REVOKE {}{} ON {} FROM {}").format(sql.SQL(what), of, on, role(who))
    for who, what, is_grantable in sorted(wanted, key=repr):
        if (who, what, is_grantable) not in have or (who, what) in surplus:
            option = sql.SQL(" WITH GRANT OPTION" if is_grantable else "")
            yield sql.SQL("GRANT {}{} ON {} TO {}{}").format(sql.SQL(what), of, on, role(who), option)


def _lost(have: Rights, wanted: Rights) -> Iterator[str]:
    """What only one of the two has."""
    for (kind, identity), there in sorted(have.objects.items()):
        if (kind, identity) not in wanted.objects and there.schema_name is not None and not there.is_bound:
            yield f"{kind} {identity}: the live database has none, so whom it was granted to is not known"
    for (kind, identity), model in sorted(wanted.objects.items()):
        if (kind, identity) not in have.objects and model.schema_name is not None and not model.is_bound:
            yield f"{kind} {identity}: only the live database has it; it will not be there after the switch"

"""Finds when rows began to be wrong, and the newest restore point from before: what is asked first."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime

import psycopg
from psycopg import sql

from holdfast.catalog.restore_checks import read_restore_check
from holdfast.drill.checks.naming import some, without_quotes
from holdfast.environment import Environment
from holdfast.errors import DatabaseError, HoldfastError, PermanentError, UsageError
from holdfast.operation.live import live_target
from holdfast.postgres.conninfo import Target
from holdfast.postgres.predicates import Predicate, demand_steady
from holdfast.postgres.session import Session, connect, translate, without_login_triggers
from holdfast.postgres.tablenames import TableName, parse_name
from holdfast.values.ids import RestorePointId

_TIMEOUT_S = 120
_LOCK_TIMEOUT_S = 10
_LIMITS = """
SELECT pg_catalog.set_config('statement_timeout', %s, true), pg_catalog.set_config('lock_timeout', %s, true),
       pg_catalog.set_config('row_security', 'off', true)
"""
_TABLES = """
SELECT n.nspname, c.relname FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
 WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f') AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
   AND pg_catalog.lower(c.relname) = pg_catalog.lower(%s)
"""
# date, timestamp, timestamptz (source: PostgreSQL, pg_type.dat).
_TIMES = frozenset((1082, 1114, 1184))
_ZONED = 1184
_COLUMNS = """
SELECT a.attname, CASE WHEN t.typtype = 'd' THEN t.typbasetype ELSE t.oid END::bigint
  FROM pg_catalog.pg_attribute a JOIN pg_catalog.pg_type t ON t.oid = a.atttypid
 WHERE a.attrelid = %s::pg_catalog.regclass AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum
"""
# Infinite times, and years that no calendar of ours has, tell no instant.
_ASKED = sql.SQL("""
SELECT min(at) FILTER (WHERE at BETWEEN '0001-01-02' AND '9999-12-30'),
       max(at) FILTER (WHERE at BETWEEN '0001-01-02' AND '9999-12-30'), count(*)
  FROM (SELECT {column}::pg_catalog.timestamptz AS at FROM {table} WHERE {predicate}) AS found
""")
_OF_THE_CONDITION = ("42", "22", "25006", "0A")
_TOO_LONG = "57014"


@dataclass(frozen=True, slots=True)
class Instants:
    """The first and last time that stand in the rows found, UTC, and how many rows there are.

    Both are None where no row was found, or none has a time. ``is_assumed_utc``: the column has no time zone, and was
    read as UTC, which is how Prisma and most others write it.
    """

    first: datetime | None
    last: datetime | None
    rows: int
    is_assumed_utc: bool = False


def first_instant(environment: Environment, *, table: str, time_column: str, predicate: str | Predicate) -> Instants:
    """When the rows of the live database that meet the condition have their earliest and latest time.

    In a transaction that cannot write, for two minutes at most. Raises UsageError for a table, column or condition
    that is not there or cannot be used, DatabaseError where it takes too long or the role does not see all rows.
    """
    wanted = predicate if isinstance(predicate, Predicate) else Predicate.parse(predicate)
    live = live_target(environment)
    with connect(live) as session:
        quiet = without_login_triggers(live, session)
    with connect(quiet, autocommit=False) as session:
        session.read_only = True
        try:
            return _asked(session, table, time_column, wanted)
        except psycopg.Error as error:
            raise _refused(error, live) from error


def find_restore_point_before(environment: Environment, instant: datetime) -> RestorePointId | None:
    """The newest restore point that shows a state from before ``instant`` (aware), None where there is none.

    Only what is whole and ours counts, and not what failed its restore check.
    """
    if instant.tzinfo is None:
        raise UsageError(f"instant {instant}: has no UTC offset")
    catalog, verifier = environment.catalog, environment.verifier()
    for entry in reversed(catalog.entries()):
        if not entry.is_committed or entry.id.opened_at > instant:
            continue
        try:
            manifest = catalog.manifest(entry.id, verifier)
            check = read_restore_check(catalog, entry.id, verifier, entry)
        except PermanentError:  # whatever is wrong with it, an older one may be sound
            continue
        is_proven_bad = check is not None and not check.passed
        if manifest.database.source.snapshot_at < instant and not entry.missing(manifest) and not is_proven_bad:
            return entry.id
    return None


def _asked(session: Session, table: str, time_column: str, predicate: Predicate) -> Instants:
    session.execute(_LIMITS, (f"{_TIMEOUT_S}s", f"{_LOCK_TIMEOUT_S}s"))
    found = _find_table(session, table)
    column, is_zoned = _find_column(session, found, time_column)
    demand_steady(session, predicate)
    query = _ASKED.format(
        column=sql.Identifier(column),
        table=sql.Identifier(found.schema_name, found.name),
        predicate=predicate.sql,
    )
    row = session.execute(query).fetchone()
    assert row is not None  # an aggregate always yields one
    return Instants(row[0], row[1], row[2], not is_zoned)


def _find_table(session: Session, text: str) -> TableName:
    wanted = parse_name(text)
    near = [TableName(*row) for row in session.execute(_TABLES, (wanted.name,))]
    exact = [table for table in near if wanted.fits(table)]
    found = exact or [table for table in near if wanted.fits_loosely(table)]
    if len(found) == 1:
        return found[0]
    if found:
        raise UsageError(
            f"table {text}: several fit: {some(sorted(map(str, found)))}", hint="Name one with its schema."
        )
    raise UsageError(f"table {text}: not in the live database", hint="Quoted names must be exact: 'public.\"User\"'.")


def _find_column(session: Session, table: TableName, text: str) -> tuple[str, bool]:
    name = text[1:-1].replace('""', '"') if re.fullmatch(r'"(?:[^"]|"")+"', text) else text
    columns: dict[str, int] = dict(
        session.execute(_COLUMNS, (sql.Identifier(table.schema_name, table.name).as_string(session),))
    )
    near = [name] if name in columns else [each for each in columns if each.casefold() == text.casefold()]
    if len(near) != 1:
        raise UsageError(f"column {text!r}: not in table {table}", hint=f"It has: {some(list(columns), 30)}.")
    kind = columns[near[0]]
    if kind not in _TIMES:
        times = [each for each, type in columns.items() if type in _TIMES]
        raise UsageError(
            f"column {near[0]!r} of table {table}: holds no date or timestamp",
            hint=f"Such are: {some(times) or 'none'}.",
        )
    return near[0], kind == _ZONED


def _refused(error: psycopg.Error, live: Target) -> HoldfastError:
    """Past its parsing, what a query stumbles over may be a row's content, which is not repeated."""
    state, said = error.sqlstate or "", error.diag.message_primary or type(error).__name__
    if state.startswith(_OF_THE_CONDITION) and state != "42501" and "row-level security" not in said:
        shown = said if error.diag.statement_position else without_quotes(said)
        return UsageError(f"condition: {' '.join(shown.split())}", hint="Correct it, or the column.")
    if state == _TOO_LONG:
        return DatabaseError(
            f"{live.describe()}: not answered within {_TIMEOUT_S} s", hint="Narrow the condition, or add an index."
        )
    return translate(error, live, "looking for the first instant")

"""PostgreSQL's own check of tables and indexes, the extension amcheck, for as long as it is needed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass

import psycopg
from psycopg import errors, sql

from holdfast.postgres.conninfo import Target
from holdfast.postgres.session import Session, translate, translated

_SCHEMA = "holdfast_amcheck"
_WHERE = """
SELECT n.nspname FROM pg_catalog.pg_extension e JOIN pg_catalog.pg_namespace n ON n.oid = e.extnamespace
 WHERE e.extname = 'amcheck'
"""
_OFFERED = "SELECT FROM pg_catalog.pg_available_extensions WHERE name = 'amcheck'"
_HAS_HEAP = """
SELECT EXISTS (SELECT FROM pg_catalog.pg_proc p JOIN pg_catalog.pg_namespace n ON n.oid = p.pronamespace
                WHERE p.proname = 'verify_heapam' AND n.nspname = %s)
"""
# The application's event triggers are not asked about what is made for a moment and taken away again.
_UNTRIGGERED = """
SELECT pg_catalog.set_config('session_replication_role', 'replica', false)
  FROM pg_catalog.pg_roles WHERE rolname = current_user AND rolsuper
"""
_MAKE = (
    sql.SQL("CREATE SCHEMA IF NOT EXISTS {}").format(sql.Identifier(_SCHEMA)),
    sql.SQL("CREATE EXTENSION amcheck SCHEMA {}").format(sql.Identifier(_SCHEMA)),
)
_DROP = (
    sql.SQL("DROP EXTENSION IF EXISTS amcheck"),
    sql.SQL("DROP SCHEMA IF EXISTS {}").format(sql.Identifier(_SCHEMA)),
)


@dataclass(frozen=True, slots=True)
class Amcheck:
    """The extension in one database. ``schema`` holds its functions; ``checks_tables``: from version 14 on."""

    schema: str
    checks_tables: bool

    def index_query(self, oids: Sequence[int], *, is_thorough: bool) -> sql.Composed:
        """Raises an error where an index is damaged; ``is_thorough``: also looks each row of the table up in it."""
        return sql.SQL("SELECT {}(looked.oid, {}) FROM pg_catalog.unnest({}::pg_catalog.oid[]) AS looked (oid)").format(
            sql.Identifier(self.schema, "bt_index_check"), sql.Literal(is_thorough), sql.Literal(list(oids))
        )

    def table_query(self, oids: Sequence[int], *, is_thorough: bool) -> sql.Composed:
        """Yields the faults of each table's first damaged page; ``is_thorough``: also reads long values."""
        return sql.SQL(
            "SELECT found.msg FROM pg_catalog.unnest({}::pg_catalog.oid[]) AS looked (oid),"
            " LATERAL {}(looked.oid, on_error_stop => true, check_toast => {}) AS found"
        ).format(sql.Literal(list(oids)), sql.Identifier(self.schema, "verify_heapam"), sql.Literal(is_thorough))


@contextmanager
def amcheck(session: Session, target: Target) -> Iterator[Amcheck | str]:
    """The extension, in a schema of its own unless the database has it anyway; or why it cannot be had."""
    with translated(target, "looking for amcheck"):
        schema = _standing(session)
    missing = None if schema is not None else _made(session, target)
    try:
        if missing is not None:
            yield missing
        else:
            with translated(target, "looking for amcheck"):
                row = session.execute(_HAS_HEAP, (schema or _SCHEMA,)).fetchone()
            yield Amcheck(schema or _SCHEMA, checks_tables=row == (True,))
    except BaseException:
        # The next check takes away what a dead session leaves.
        with suppress(psycopg.Error):
            _drop(session, schema)
        raise
    with translated(target, "dropping the extension amcheck"):
        _drop(session, schema)


def _standing(session: Session) -> str | None:
    """The schema it stands in: the application's choice, or what a killed check has left."""
    row = session.execute(_WHERE).fetchone()
    return None if row is None else str(row[0])


def _made(session: Session, target: Target) -> str | None:
    """Make it; what stands in the way, if anything does."""
    try:
        if session.execute(_OFFERED).fetchone() is None:
            return "the server does not have the extension amcheck"
        session.execute(_UNTRIGGERED)
        session.execute("SET default_transaction_read_only = off")
        for statement in _MAKE:
            session.execute(statement)
    except (errors.InsufficientPrivilege, errors.UndefinedFile, errors.FeatureNotSupported) as error:
        return f"the extension amcheck could not be created: {error.diag.message_primary}"
    except psycopg.Error as error:
        raise translate(error, target, "creating the extension amcheck") from error
    return None


def _drop(session: Session, schema: str | None) -> None:
    """Take away what is ours; a schema that the application gave that name keeps what is in it."""
    if schema not in (None, _SCHEMA):
        return
    for statement in _DROP:
        with suppress(errors.DependentObjectsStillExist, errors.InsufficientPrivilege):
            session.execute(statement)

"""Connect to PostgreSQL, and say in Holdfast's own errors why that or a query failed."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from ipaddress import ip_address

import psycopg
from psycopg import errors
from psycopg.rows import TupleRow

from holdfast.errors import DatabaseError, DatabaseUnavailable, HoldfastError, UsageError
from holdfast.postgres.conninfo import Target
from holdfast.redaction import redact

Session = psycopg.Connection[TupleRow]

_CONNECT_TIMEOUT_S = 15


# A role's or database's own choices change how values are written, and psycopg reads only these forms.
_SETTINGS = """
SELECT pg_catalog.set_config('TimeZone', 'UTC', false), pg_catalog.set_config('DateStyle', 'ISO', false),
       pg_catalog.set_config('IntervalStyle', 'postgres', false), pg_catalog.set_config('bytea_output', 'hex', false)
"""
_MAY_SWITCH_OFF = """
SELECT pg_catalog.has_parameter_privilege('event_triggers', 'SET'), pg_catalog.pg_backend_pid()
"""


class DatabaseMissing(DatabaseError):
    """The server is there, the database is not."""


# libpq passes no SQLSTATE for a refused login, only text: the server's, or its own.
_WRONG_LOGIN = re.compile(
    r"authentication failed|no pg_hba\.conf entry|pg_hba\.conf rejects|no password supplied|fe_sendauth|"
    r"role \".*\" (does not exist|is not permitted)|permission denied for database|peer authentication|"
    r"authentication method|certificate|does not support SSL|server (requires|does not support)|requirepeer|"
    r"Tenant or user not found|password_required|private key|"
    r"invalid (port|integer|sslmode|connection option|channel_binding)",
    re.IGNORECASE,
)
_NO_DATABASE = re.compile(r"database \".*\" does not exist|no such database", re.IGNORECASE | re.DOTALL)
_NO_HOST = re.compile(r"could not translate host name|Name or service not known|nodename nor servname", re.IGNORECASE)
_TEMPORARY_NAME = re.compile(r"Temporary failure in name resolution|Try again", re.IGNORECASE)

# Classes and codes of SQLSTATE after which another attempt may succeed (PostgreSQL manual, appendix A):
# connection, rollback by a conflict, resources, system; then cancelled, shut down, locked. The last says that
# what was listed a moment ago is gone: somebody is changing the schema.
_TRANSIENT = ("08", "40", "53", "58", "57014", "57P01", "57P02", "57P03", "55P03", "42P01")


def connect(target: Target, *, autocommit: bool = True) -> Session:
    """A session in UTC with UTF-8 text; use it as a context manager to have it closed.

    Raises DatabaseUnavailable where trying again may help, UsageError for a wrong address or login,
    DatabaseError where the server refuses otherwise.
    """
    session = open_session(target)
    try:
        with translated(target, "setting up the session"):
            session.execute(_SETTINGS)
            session.autocommit = autocommit
    except BaseException:
        session.close()
        raise
    return session


def open_session(target: Target) -> Session:
    """A session in autocommit mode in which no query has run yet; raises as ``connect`` does."""
    settled = {
        "client_encoding": "utf8",
        "application_name": target.get("application_name") or "holdfast",
        "connect_timeout": target.get("connect_timeout") or str(_CONNECT_TIMEOUT_S),
    }
    try:
        return psycopg.connect(
            target.with_parameters(**settled).conninfo(),
            autocommit=True,
            # A pooler may hand the next statement to a server that never saw the preparation.
            prepare_threshold=None,
        )
    except psycopg.Error as error:
        refusal = _refused(error, target)
    # Outside of the handler: libpq's own text may repeat what the address holds.
    raise refusal


def pinned(target: Target, session: Session) -> Target:
    """The very server that ``session`` found behind the target's host names.

    A name may stand for several addresses, and a snapshot exported by one server is unknown to another.
    The host name stays beside the address for the check of the certificate.
    """
    info = session.info
    address = info.hostaddr if _is_address(info.hostaddr) else None
    return target.with_parameters(host=info.host or None, port=str(info.port), hostaddr=address)


def without_login_triggers(target: Target, session: Session) -> Target:
    """The target for sessions that fire no event trigger, where the server knows of that and the role may.

    Triggers ON login (17 and later) may write rows or refuse the session. They fire before anything could be said in
    a session, so that it takes another one to learn whether they can be switched off. A pooler would refuse the option.
    """
    if session.info.server_version < 170_000:
        return target
    with translated(target, "asking for event_triggers"):
        row = session.execute(_MAY_SWITCH_OFF).fetchone()
    if row != (True, session.info.backend_pid):
        return target
    return target.with_parameters(options=f"{target.get('options') or ''} -c event_triggers=off".lstrip())


def translate(error: psycopg.Error, target: Target, doing: str) -> HoldfastError:
    """The Holdfast error for what PostgreSQL answered to a query; ``doing`` says what for, such as "reading x"."""
    message = f"{target.describe()}: {doing}: {_said(error, target)}"
    if isinstance(error, errors.InsufficientPrivilege):
        return DatabaseError(message, hint=f'Grant the role "{target.user}" what it lacks, or use another role.')
    is_lost = isinstance(error, psycopg.OperationalError) and error.sqlstate is None
    if is_lost or (error.sqlstate or "").startswith(_TRANSIENT):
        return DatabaseUnavailable(message)
    return DatabaseError(message)


@contextmanager
def translated(target: Target, doing: str) -> Iterator[None]:
    """Run queries; psycopg's errors leave as Holdfast's."""
    try:
        yield
    except psycopg.Error as error:
        raise translate(error, target, doing) from error


def _refused(error: psycopg.Error, target: Target) -> HoldfastError:
    """Why no session came about."""
    heard = str(error)
    said = _said(error, target)
    where = target.describe()
    if _NO_DATABASE.search(heard):
        return DatabaseMissing(f"{where}: {said}", hint="Create the database, or correct its name in the connection.")
    if _NO_HOST.search(heard) and not _TEMPORARY_NAME.search(heard):
        return UsageError(f"{where}: {said}", hint="Correct the host in the connection.")
    if _WRONG_LOGIN.search(heard) and "Connection refused" not in heard:
        return UsageError(f"{where}: {said}", hint="Correct user, password or sslmode in the connection.")
    return DatabaseUnavailable(f"{where}: {said}", hint="Is the server up, and reachable from this machine?")


def _said(error: psycopg.Error, target: Target) -> str:
    diagnosis = error.diag.message_primary or str(error)
    lines = " ".join(line.strip() for line in diagnosis.splitlines() if line.strip())
    return redact(lines, target.secrets) or type(error).__name__


def _is_address(text: str) -> bool:
    try:
        ip_address(text.partition("%")[0])
    except ValueError:
        return False
    return True

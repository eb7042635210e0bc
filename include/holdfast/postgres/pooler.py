"""Recognise a connection pooler that gives every transaction another server session, and refuse it.

An exported snapshot lives in one server session for as long as a client holds it. Direct connections and
poolers in session mode grant that; PgBouncer in transaction or statement mode and its like do not.
"""

from __future__ import annotations

import select
import time
from contextlib import closing
from enum import Enum

from psycopg.pq import ExecStatus

from holdfast.errors import DatabaseUnavailable, UsageError
from holdfast.postgres.conninfo import Target
from holdfast.postgres.session import Session, connect, open_session, translated

_HINT = (
    "Use the direct connection to the database server in the connection's host and port (most hosts show it "
    "beside the pooled one), or a pooler in session mode."
)
_ROUNDS = 3
_WAIT_S = 10.0


class Pooling(Enum):
    """What stands between us and the server."""

    NONE = "none"
    SESSION = "session"


def require_direct(target: Target) -> Pooling:
    """Make sure that one connection keeps one server session; raises UsageError for a transaction pooler.

    Poolers of known hosting providers are recognised by name. Others show themselves: while one
    connection idles, a second one opens a transaction, and either is given the other's server process.
    """
    known = _known_by_name(target)
    if known is not None:
        raise UsageError(f"{target.describe()}: {known} pools transactions", hint=_HINT)
    with connect(target) as idle:
        pid = _server_pid(idle, target)
        is_pooled = pid != idle.info.backend_pid
        # Closed and no more: at the end of its own context, psycopg would try to roll back what a pooler refused.
        with closing(open_session(target)) as busy:
            for _ in range(_ROUNDS):
                if _moves(idle, busy, pid, target):
                    raise UsageError(
                        f"{target.describe()}: a connection pooler in transaction mode stands before the server",
                        hint=_HINT,
                    )
    return Pooling.SESSION if is_pooled else Pooling.NONE


def _moves(idle: Session, busy: Session, pid: int, target: Target) -> bool:
    """Is ``idle`` given another server process while ``busy`` holds one, or ``busy`` that of ``idle``?"""
    other = _pid_in_transaction(busy, target)
    try:
        return other == pid or _server_pid(idle, target) != pid
    finally:
        busy.execute("ROLLBACK")


def _pid_in_transaction(session: Session, target: Target) -> int:
    """Like ``_server_pid`` behind BEGIN, but gives up where a pooler has no second server session to give."""
    libpq = session.pgconn
    libpq.send_query(b"BEGIN; SELECT pg_catalog.pg_backend_pid()")
    deadline = time.monotonic() + _WAIT_S
    pid = 0
    while True:
        while libpq.is_busy():
            if not select.select([libpq.socket], [], [], max(0.0, deadline - time.monotonic()))[0]:
                raise DatabaseUnavailable(
                    f"{target.describe()}: the pooler gave no second connection within {_WAIT_S:g} s",
                    hint="A backup needs three connections at once; raise the pool's size or connect directly.",
                )
            libpq.consume_input()
        result = libpq.get_result()
        if result is None:
            return pid
        if result.status == ExecStatus.TUPLES_OK:
            pid = int(result.get_value(0, 0) or b"0")
        elif result.status != ExecStatus.COMMAND_OK:
            said = result.get_error_message()
            # PgBouncer's statement mode forbids transactions altogether.
            if "transaction" in said:
                raise UsageError(f"{target.describe()}: a connection pooler refuses transactions", hint=_HINT)
            raise DatabaseUnavailable(f"{target.describe()}: opening a transaction: {said.strip()}")


def _server_pid(session: Session, target: Target) -> int:
    with translated(target, "asking for the server process"):
        row = session.execute("SELECT pg_catalog.pg_backend_pid()").fetchone()
    assert row is not None
    return int(row[0])


def _known_by_name(target: Target) -> str | None:
    """Poolers whose mode their address tells."""
    ports = target.port.split(",")
    for number, host in enumerate(target.host.lower().split(",")):
        port = ports[min(number, len(ports) - 1)]
        if host.endswith(".neon.tech") and "-pooler." in host:
            return "Neon's address with -pooler"
        if host.endswith(".pooler.supabase.com") and port == "6543":
            return "Supabase's pooler on port 6543"
        if host.endswith(".supabase.co") and port == "6543":
            return "Supabase's pooler on port 6543"
    return None

"""Ask a server by the replication protocol, and start what receives WAL by it (PostgreSQL manual, ch. 54.4)."""

from __future__ import annotations

import re
import shutil
from dataclasses import dataclass
from pathlib import Path

from psycopg.pq import ExecStatus

from holdfast.errors import DatabaseError, DatabaseUnavailable, HoldfastError, PermanentError, UsageError
from holdfast.postgres.binaries import Client
from holdfast.postgres.conninfo import Target
from holdfast.postgres.session import open_session
from holdfast.process.child import Command, base_environment
from holdfast.process.supervision import Child
from holdfast.wal.timelines import TimelineHistory

_REMOVED = re.compile(r"requested WAL segment \S+ has already been removed")
# What no second attempt changes: there is no such line in pg_hba.conf, or the role may not.
_REFUSED = re.compile(
    r"no pg_hba\.conf entry|pg_hba\.conf rejects|authentication failed|must be superuser or replication role|"
    r"permission denied to (start WAL sender|use replication)|server does not support|certificate",
)
_MAY_NOT = (
    "The role needs the attribute REPLICATION, and pg_hba.conf a line for it with the database `replication`. "
    "Where a hosting provider allows neither, set `pitr: provider` in the policy."
)


class WalRemoved(DatabaseError):
    """The server has no longer the WAL that was asked for."""


@dataclass(frozen=True, slots=True)
class StoredHistory:
    """A timeline's history: the file as the server has it, and what it says."""

    content: bytes
    history: TimelineHistory


def read_history(target: Target, timeline: int) -> StoredHistory:
    """The history of a timeline of the server, empty for the first one, which has no file.

    Raises PermanentError where the role may not replicate, DatabaseUnavailable, or DatabaseError for a timeline that
    the server does not know.
    """
    try:
        session = open_session(target.with_parameters(replication="true"))
    except UsageError as error:
        # The same login was let in without replication a moment ago.
        raise PermanentError(error.message, hint=_MAY_NOT) from error
    with session:
        # It also proves that replication is allowed, of which nothing else is asked for the first timeline.
        request = f"TIMELINE_HISTORY {timeline}" if timeline > 1 else "IDENTIFY_SYSTEM"
        result = session.pgconn.exec_(request.encode())
        if result.status != ExecStatus.TUPLES_OK:
            raise _explained(result.get_error_message(), target, f"asking for the history of timeline {timeline}")
        content = (result.get_value(0, 1) or b"") if timeline > 1 else b""
    return StoredHistory(content, TimelineHistory.parse(timeline, content.decode("utf-8", "replace")))


class Receiver:
    """A pg_receivewal that writes into ``folder`` until it is ended or fails.

    It flushes nothing to disk: only what is in the store counts. ``name`` is what the server knows it by.
    """

    def __init__(self, client: Client, target: Target, folder: Path, name: str) -> None:
        program = client.tool("pg_receivewal")
        if shutil.which(program) is None:
            raise PermanentError(
                f"{program}: not found, though the other programs of PostgreSQL {client.major} are there",
                hint="Install the package that holds pg_receivewal; on Debian it is postgresql-client.",
            )
        self.name = name
        self._target = target.with_parameters(application_name=name)
        argv = (program, f"--directory={folder}", "--no-loop", "--no-sync", "--status-interval=1", "--no-password")
        self._child = Child(Command(argv, base_environment() | self._target.environment(), target.secrets))

    def is_running(self) -> bool:
        """Does it still receive, or try to?"""
        return self._child.is_running()

    def end(self) -> None:
        """End it; what it has received stays."""
        self._child.end(grace_s=1.0)

    def failure(self) -> HoldfastError:
        """Why it ended by itself: WalRemoved, PermanentError where it may not, else DatabaseUnavailable."""
        heard = "".join(self._child.voices)
        said = self._child.stderr.strip() or f"exit status {self._child.wait()}"
        return _explained(said, self._target, "receiving WAL", heard=heard)


def _explained(said: str, target: Target, doing: str, *, heard: str | None = None) -> HoldfastError:
    heard = said if heard is None else heard
    message = f"{target.describe()}: {doing}: {' / '.join(line.strip() for line in said.splitlines() if line.strip())}"
    if _REMOVED.search(heard):
        return WalRemoved(message)
    if _REFUSED.search(heard):
        return PermanentError(message, hint=_MAY_NOT)
    if "No space left" in heard:
        return DatabaseUnavailable(message, hint="Free space where the spool lies, or name another with --spool.")
    return DatabaseUnavailable(message)

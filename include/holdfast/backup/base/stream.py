"""Runs pg_basebackup: bytes that end normally only when the program succeeded."""

from __future__ import annotations

import re
import shutil
from collections.abc import Generator
from dataclasses import dataclass
from pathlib import Path

from holdfast.errors import DatabaseError, DatabaseUnavailable, HoldfastError, PermanentError
from holdfast.postgres.binaries import Client, client_for
from holdfast.postgres.conninfo import Target
from holdfast.postgres.stderr import is_connection_loss, is_permission
from holdfast.process.child import ChildFailed, Command, base_environment, stream

# What a server says that cannot give an incremental one: summaries were removed, or do not come.
_NO_SUMMARIES = re.compile(r"WAL summar|incremental backup|manifest system identifier", re.IGNORECASE)
_CORRUPT = re.compile(r"checksum (error|verification fail)", re.IGNORECASE)


class NoIncremental(DatabaseError):
    """The server cannot tell what has changed since the parent; a full base backup can be had."""


@dataclass(frozen=True, slots=True)
class BaseBackupProgram:
    """pg_basebackup of the oldest client that fits a server."""

    client: Client
    path: str

    @classmethod
    def for_server(cls, major: int) -> BaseBackupProgram:
        """Raises PermanentError where there is no such client, or it lacks the program."""
        client = client_for(major)
        path = client.tool("pg_basebackup")
        if shutil.which(path) is None:
            raise PermanentError(
                f"PostgreSQL client {client}: pg_basebackup is missing beside pg_dump",
                hint="Install the package whole (postgresql-client of apt.postgresql.org has it).",
            )
        return cls(client, path)

    def tar(self, target: Target, *, label: str, parent_manifest: Path | None = None) -> Generator[bytes, None, None]:
        """The whole cluster as one tar; with ``parent_manifest`` only what has changed since that one began.

        Raises DatabaseUnavailable where the connection broke, NoIncremental where only a full one can be had, and
        DatabaseError or ToolError otherwise; each before the iteration ends.
        """
        argv = (
            self.path,
            "--pgdata=-",
            "--format=tar",
            "--wal-method=none",
            "--checkpoint=fast",
            f"--label={label}",
            "--no-password",
            *((f"--incremental={parent_manifest}",) if parent_manifest else ()),
        )
        environment = base_environment() | target.environment()
        with stream(Command(argv, environment, target.secrets)) as child:
            try:
                yield from child
            except ChildFailed as error:
                raise _explained(error, child.heard, target, is_incremental=parent_manifest is not None) from error


def _explained(error: ChildFailed, heard: str, target: Target, *, is_incremental: bool) -> HoldfastError:
    message = f"{target.describe()}: {error.message}"
    if is_incremental and _NO_SUMMARIES.search(heard):
        return NoIncremental(message)
    if is_connection_loss(heard):
        return DatabaseUnavailable(message)
    if _CORRUPT.search(heard):
        return DatabaseError(
            message,
            hint="Pages of the live cluster are damaged: look at its disk, and at what `amcheck` finds, at once.",
        )
    if is_permission(heard):
        return DatabaseError(message, hint="`holdfast doctor` names what the role lacks.")
    return ChildFailed(message, status=error.status, stderr=error.stderr)

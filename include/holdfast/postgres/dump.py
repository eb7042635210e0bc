"""Run pg_dump and pg_dumpall: bytes that end normally only when the program succeeded."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Iterator
from dataclasses import dataclass

from holdfast.errors import DatabaseError, DatabaseUnavailable, HoldfastError, UsageError
from holdfast.postgres.binaries import Client
from holdfast.postgres.conninfo import Target
from holdfast.postgres.dsn import dbname_argument
from holdfast.postgres.lock_wait import BESIDE_SNAPSHOT_S, lock_wait_error
from holdfast.postgres.outer_zstd import compressed, decompressed
from holdfast.postgres.snapshot import ExportedSnapshot
from holdfast.postgres.stderr import is_connection_loss, is_lock_timeout, is_permission
from holdfast.process.child import ChildFailed, Command, base_environment, stream

ByteStream = Generator[bytes, None, None]
"""Bytes of a program; closing it ends the program."""

Hearer = Callable[[str], None]
"""Is told what a program said on stderr."""

PLAIN = "custom"
OUTER_ZSTD = "custom+zstd"

_LEVEL = 1


@dataclass(frozen=True, slots=True)
class DumpPlan:
    """How a client dumps: ``format`` tells readers what to undo, ``compression`` is for people."""

    client: Client
    format: str
    compression: str


def plan_dump(client: Client) -> DumpPlan:
    """The client's own zstd where it has it; else pg_dump does not compress and its output is compressed whole.

    gzip, all that pg_dump has before 16, costs ten times the time and gives more bytes.
    """
    if client.has_zstd():
        return DumpPlan(client, PLAIN, f"zstd:{_LEVEL}")
    return DumpPlan(client, OUTER_ZSTD, f"zstd:{_LEVEL} around the archive")


def dump_stream(plan: DumpPlan, snapshot: ExportedSnapshot, *, hear: Hearer | None = None) -> ByteStream:
    """The database of the snapshot as a custom-format archive (within zstd as ``plan.format`` says).

    ``hear`` gets what a pg_dump that succeeded has said, without secrets: it speaks only to warn.

    Raises DatabaseUnavailable where the connection broke or a table stayed locked, ToolError where pg_dump
    failed otherwise; either before the iteration ends.
    """
    inner = f"zstd:{_LEVEL}" if plan.format == PLAIN else "0"
    argv = (
        plan.client.tool("pg_dump"),
        "--format=custom",
        f"--compress={inner}",
        "--no-owner",
        "--no-privileges",
        "--no-password",
        f"--snapshot={snapshot.snapshot_id}",
        f"--lock-wait-timeout={BESIDE_SNAPSHOT_S * 1000}",
    )
    pieces = _output(argv, snapshot.target, hear)
    yield from pieces if plan.format == PLAIN else compressed(pieces, _LEVEL)


def globals_stream(client: Client, target: Target) -> ByteStream:
    """Roles (without their passwords), their memberships and tablespaces, as SQL text; raises as ``dump_stream``."""
    argv = (
        client.tool("pg_dumpall"),
        "--globals-only",
        "--no-role-passwords",
        "--no-password",
        # pg_dumpall ignores PGDATABASE and would connect to "postgres", which need not exist or let us in.
        f"--database={dbname_argument(target.database)}",
    )
    yield from _output(argv, target)


def archive_pieces(format: str, pieces: Iterable[bytes]) -> Iterator[bytes]:
    """What pg_restore can read, from the bytes of an artifact of that format; consumes ``pieces`` to the end.

    Raises IntegrityError for a zstd frame that is damaged or cut.
    """
    if format == PLAIN:
        return iter(pieces)
    if format == OUTER_ZSTD:
        return decompressed(pieces)
    raise UsageError(f"archive format {format!r}: not one of {PLAIN}, {OUTER_ZSTD}")


def _output(argv: tuple[str, ...], target: Target, hear: Hearer | None = None) -> ByteStream:
    environment = base_environment() | target.environment()
    with stream(Command(argv, environment, target.secrets)) as child:
        try:
            yield from child
        except ChildFailed as error:
            raise _explained(error, child.heard, target) from error
        if hear is not None and child.stderr:
            hear(child.stderr)


def _explained(error: ChildFailed, heard: str, target: Target) -> HoldfastError:
    message = f"{target.describe()}: {error.message}"
    if is_connection_loss(heard):
        return DatabaseUnavailable(message)
    if is_lock_timeout(heard):
        return lock_wait_error(target, error.message)
    if is_permission(heard):
        return DatabaseError(message, hint="`holdfast doctor` names everything that the role may not read.")
    return ChildFailed(message, status=error.status, stderr=error.stderr)

"""Definitions alone: copy a database's schema into another without any rows, and read it as pg_dump writes it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from holdfast.errors import DatabaseUnavailable
from holdfast.postgres.binaries import Client
from holdfast.postgres.conninfo import Target
from holdfast.postgres.dsn import dbname_argument
from holdfast.postgres.lock_wait import BESIDE_SNAPSHOT_S, lock_wait_error
from holdfast.postgres.restore_log import PREFIX, is_noise
from holdfast.postgres.stderr import is_connection_loss, is_lock_timeout
from holdfast.postgres.verdict import Verdict, judge
from holdfast.process.child import ChildFailed, Command, base_environment, run, stream
from holdfast.process.listening import Voices

_COMPLAINTS_BYTES = 16 << 20
# Who may do what, and where it lies, is not what an application's code is written against.
_DEFINITIONS = ("--schema-only", "--no-owner", "--no-privileges", "--no-tablespaces", "--no-subscriptions")


def schema_archive(client: Client, target: Target) -> Iterator[bytes]:
    """The database's definitions as a custom-format archive.

    Raises DatabaseUnavailable where the connection broke or a table stayed locked, ToolError otherwise.
    """
    yield from _dumped(client, target, "--format=custom")


def schema_text(client: Client, target: Target) -> str:
    """The same as SQL, each object under a header that names it; raises as ``schema_archive``."""
    pieces = _dumped(client, target, "--format=plain", "--encoding=UTF8")
    return b"".join(pieces).decode(errors="surrogateescape")


def restore_schema(client: Client, target: Target, pieces: Iterable[bytes]) -> Verdict:
    """Restore only the definitions of the archive whose bytes are ``pieces``; these are consumed to their end.

    What ``pieces`` raises ends pg_restore and passes through.
    """
    argv = (
        client.tool("pg_restore"),
        *_DEFINITIONS,
        "--no-password",
        # Only then does it name the entry that an error belongs to.
        "--verbose",
        f"--dbname={dbname_argument(target.database)}",
    )
    command = Command(argv, base_environment() | target.environment(), target.secrets)
    heard = Voices(_COMPLAINTS_BYTES, PREFIX, is_noise)
    finished = run(command, stdin=pieces, drain=True, stderr=heard)
    return judge(finished.voices, finished.status, was_cut=finished.was_cut, secrets=target.secrets)


def _dumped(client: Client, target: Target, *form: str) -> Iterator[bytes]:
    wait = f"--lock-wait-timeout={BESIDE_SNAPSHOT_S * 1000}"
    argv = (client.tool("pg_dump"), *form, *_DEFINITIONS, "--no-password", wait)
    with stream(Command(argv, base_environment() | target.environment(), target.secrets)) as child:
        try:
            yield from child
        except ChildFailed as error:
            if is_connection_loss(child.heard):
                raise DatabaseUnavailable(f"{target.describe()}: {error.message}") from error
            if is_lock_timeout(child.heard):
                raise lock_wait_error(target, error.message) from error
            raise

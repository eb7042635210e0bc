"""Run pg_restore into an empty database, from an unlinked file or straight from a pipe, and judge the outcome."""

from __future__ import annotations

import contextlib
import errno
import os
from collections.abc import Iterable, Iterator
from pathlib import Path

from holdfast.errors import PermanentError, TransientError
from holdfast.postgres.binaries import Client
from holdfast.postgres.conninfo import Target
from holdfast.postgres.dsn import dbname_argument
from holdfast.postgres.restore_log import PREFIX, is_noise
from holdfast.postgres.selection import Selection
from holdfast.postgres.verdict import Verdict, judge
from holdfast.process.child import Command, Finished, base_environment, run
from holdfast.process.listening import Voices

_COMPLAINTS_BYTES = 16 << 20
_OVER_EXISTING = ("--clean", "--if-exists", "--single-transaction")


def restore_file(
    client: Client,
    target: Target,
    archive: int,
    *,
    jobs: int = 1,
    selection: Selection | None = None,
    with_owners: bool = False,
    over_existing: bool = False,
) -> Verdict:
    """Restore the archive in the open file ``archive``, in up to ``jobs`` sessions at once.

    pg_restore gets it as /proc/self/fd/N, which opens files that have no name. ``with_owners``: everything gets the
    owner that the archive names. ``over_existing``: what the archive holds is dropped before, and all of it is one
    transaction of one session, which the first error undoes.
    """
    with _toc(selection) as toc:
        descriptors = (archive, toc) if toc is not None else (archive,)
        manner = _OVER_EXISTING if over_existing else (f"--jobs={jobs}",)
        argv = (*_argv(client, target, toc, with_owners=with_owners), *manner, f"/proc/self/fd/{archive}")
        finished = run(Command(argv, _environment(target), target.secrets, descriptors), stderr=_voices())
    return _verdict(finished, target, selection)


def restore_pipe(
    client: Client,
    target: Target,
    pieces: Iterable[bytes],
    *,
    selection: Selection | None = None,
    with_owners: bool = False,
) -> Verdict:
    """Restore the archive whose bytes are ``pieces``, in one session and without any file.

    What ``pieces`` raises ends pg_restore and passes through.
    """
    with _toc(selection) as toc:
        descriptors = (toc,) if toc is not None else ()
        argv = _argv(client, target, toc, with_owners=with_owners)
        command = Command(argv, _environment(target), target.secrets, descriptors)
        finished = run(command, stdin=pieces, drain=True, stderr=_voices())
    return _verdict(finished, target, selection)


def unnamed_file(folder: Path) -> int:
    """A new file without a name on the file system of ``folder``; raises OSError as the system does."""
    return os.open(folder, os.O_TMPFILE | os.O_RDWR | os.O_CLOEXEC, 0o600)


@contextlib.contextmanager
def archive_file(pieces: Iterable[bytes], folder: Path) -> Iterator[int]:
    """An open file without a name, filled with ``pieces``: whatever kills us, nothing of it stays readable.

    ``folder`` says on which file system. Raises TransientError when that is full.
    """
    try:
        archive = unnamed_file(folder)
    except OSError as error:
        raise PermanentError(
            f"folder {folder}: cannot hold an unnamed file: {error.strerror}",
            hint="Set TMPDIR to a folder on ext4, xfs, btrfs or tmpfs.",
        ) from error
    try:
        for piece in pieces:
            _append(archive, piece, folder)
        yield archive
    finally:
        os.close(archive)


def _append(archive: int, piece: bytes, folder: Path) -> None:
    rest = memoryview(piece)
    try:
        while rest:
            rest = rest[os.write(archive, rest) :]
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
            raise
        raise TransientError(
            f"folder {folder}: too little space for the decrypted archive: {error.strerror}",
            hint="Set TMPDIR to a folder on a larger disk, or restore with --jobs 1, which needs no file.",
        ) from error


def _argv(client: Client, target: Target, toc: int | None, *, with_owners: bool) -> tuple[str, ...]:
    chosen = () if toc is None else (f"--use-list=/proc/self/fd/{toc}",)
    return (
        client.tool("pg_restore"),
        *(() if with_owners else ("--no-owner",)),
        "--no-privileges",
        "--no-password",
        # Only then does it name the entry that an error belongs to.
        "--verbose",
        f"--dbname={dbname_argument(target.database)}",
        *chosen,
    )


def _voices() -> Voices:
    return Voices(_COMPLAINTS_BYTES, PREFIX, is_noise)


def _environment(target: Target) -> dict[str, str]:
    return base_environment() | target.environment()


@contextlib.contextmanager
def _toc(selection: Selection | None) -> Iterator[int | None]:
    """The list of chosen entries as a file in memory."""
    if selection is None:
        yield None
        return
    with os.fdopen(os.memfd_create("chosen entries"), "wb") as file:
        file.write(selection.toc)
        file.flush()
        yield file.fileno()


def _verdict(finished: Finished, target: Target, selection: Selection | None) -> Verdict:
    return judge(
        finished.voices,
        finished.status,
        supporting=selection.supporting if selection else frozenset(),
        was_cut=finished.was_cut,
        secrets=target.secrets,
    )

"""The folder of a recovering server's socket, whose path must be short."""

from __future__ import annotations

import hashlib
import os
import shutil
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from holdfast.errors import RestoreError
from holdfast.pitr.destination import Destination

# The path of a socket holds 107 bytes and a zero (unix(7)); the server adds its file and a lock beside it.
_MOST_BYTES = 107 - len("/.s.PGSQL.5432.lock")


@contextmanager
def socket_folder(destination: Destination, given: Path | None = None) -> Iterator[Path]:
    """The one ``given``; else in the work folder where that is short enough, or among the temporary files.

    One of ours is gone when the block ends.
    """
    if given is not None:
        yield given
        return
    near = destination.work / "socket"
    folder = near if len(os.fsencode(near)) <= _MOST_BYTES else _far(destination)
    folder.mkdir(mode=0o700, exist_ok=True)
    found = folder.lstat()
    owners = (os.geteuid(), destination.account.uid)
    if not stat.S_ISDIR(found.st_mode) or found.st_uid not in owners or found.st_mode & 0o077:
        raise RestoreError(f"socket folder {folder}: is not ours", hint="Remove it, and start again.")
    destination.account.make_folder(folder)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _far(destination: Destination) -> Path:
    """Always the same for the same directory, so that one left by a killed run is taken over."""
    digest = hashlib.sha256(os.fsencode(destination.path)).hexdigest()[:16]
    return Path("/tmp") / f"holdfast-recover-{os.geteuid()}-{digest}"  # noqa: S108 - its owner is checked before use

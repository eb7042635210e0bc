"""Gives what was restored beside the owner, mode and attributes of the live directory that it takes the place of."""

from __future__ import annotations

import os
import stat
from contextlib import suppress
from pathlib import Path

from holdfast.restore.media_files import IS_ROOT
from holdfast.restore.media_place import folder_at

_MODE = 0o755
_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


def take_marks(restored: int, folder: int, live: str) -> None:
    """Give the open directory ``restored`` what the directory ``live`` in ``folder`` has; raises OSError.

    Where there is none any more, it is the owner of all that lies in ``restored``, else of ``folder``.
    """
    status = folder_at(folder, live)
    if status is None:
        uid, gid = _common_owner(restored) or (os.fstat(folder).st_uid, os.fstat(folder).st_gid)
        mode = _MODE
    else:
        uid, gid, mode = status.st_uid, status.st_gid, stat.S_IMODE(status.st_mode)
    here = os.fstat(restored)
    if (here.st_uid, here.st_gid) != (uid, gid):
        if IS_ROOT:
            os.fchown(restored, uid, gid)
        else:
            # Whoever is not root may still give it to another group of their own.
            with suppress(PermissionError):
                os.fchown(restored, -1, gid)
    os.fchmod(restored, mode)
    if status is not None:
        _copy_attributes(restored, folder, live)
    os.fsync(restored)


def own_all(restored: Path, folder: int, live: str) -> None:
    """Give all below ``restored`` to the owner of ``live``: what came of a bucket has no owner. Only root may."""
    status = folder_at(folder, live)
    if status is None or not IS_ROOT:
        return
    for place, folders, files in os.walk(restored):
        for name in (*folders, *files):
            os.chown(Path(place, name), status.st_uid, status.st_gid, follow_symlinks=False)


def _copy_attributes(restored: int, folder: int, live: str) -> None:
    """Access lists and labels, as far as the file system and this user's rights allow."""
    source = os.open(live, _FOLDER, dir_fd=folder)
    try:
        with suppress(OSError):
            for name in os.listxattr(source):
                with suppress(OSError):
                    os.setxattr(restored, name, os.getxattr(source, name))
    finally:
        os.close(source)


def _common_owner(restored: int) -> tuple[int, int] | None:
    with os.scandir(restored) as entries:
        owners = {(status.st_uid, status.st_gid) for status in (entry.stat(follow_symlinks=False) for entry in entries)}
    return owners.pop() if len(owners) == 1 else None

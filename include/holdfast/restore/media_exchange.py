"""Renames within one open folder that never replace anything: two names change places, or a name becomes another."""

from __future__ import annotations

import ctypes
import errno
import os
import secrets
from contextlib import suppress

from holdfast.errors import RestoreError

_NOREPLACE = 1  # rename(2)
_EXCHANGE = 2
_LACKING = (errno.EINVAL, errno.ENOSYS, errno.EOPNOTSUPP)


def exchange(folder: int, one: str, other: str) -> None:
    """Two names change places in one step, so that neither is ever missing; raises OSError."""
    _renameat2(folder, one, other, _EXCHANGE)


def rename(folder: int, old: str, new: str) -> None:
    """Give ``old`` the free name ``new``; raises OSError, FileExistsError where it is taken."""
    _renameat2(folder, old, new, _NOREPLACE)


def demand_exchange(folder: int, place: str) -> None:
    """Raise RestoreError where names cannot change places in that file system; tried with two folders of our own."""
    names = [f".holdfast-{secrets.token_hex(8)}" for _ in range(2)]
    try:
        for name in names:
            os.mkdir(name, 0o700, dir_fd=folder)
        exchange(folder, *names)
    except OSError as error:
        raise RestoreError(
            f"{place}: {explained(error)}",
            hint="Move the media to a file system that can, such as ext4, xfs or btrfs, or restore into another folder "
            "(`holdfast media restore`), stop the application, rename both folders by hand, and start it again.",
        ) from error
    finally:
        for name in names:
            with suppress(FileNotFoundError):
                os.rmdir(name, dir_fd=folder)


def explained(error: OSError) -> str:
    """What the system says, in lower case."""
    if error.errno in _LACKING:
        return "two folders cannot change places in one step in its file system"
    return (error.strerror or str(error)).lower()


def _renameat2(folder: int, old: str, new: str, flags: int) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    if not hasattr(libc, "renameat2"):
        raise OSError(errno.ENOSYS, os.strerror(errno.ENOSYS))
    arguments = (folder, os.fsencode(old), folder, os.fsencode(new), ctypes.c_uint(flags))
    if libc.renameat2(*arguments) != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number), old, None, new)

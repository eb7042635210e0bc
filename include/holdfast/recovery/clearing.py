"""Remove a folder whose content strangers wrote: no link in it is followed, and no depth of it is too much."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from itertools import count
from pathlib import Path

_DEPTH = 32
_UNNAMED = ".removed-"
_TAKEN = (errno.EEXIST, errno.ENOTEMPTY, errno.ENOTDIR)


def remove_tree(path: Path) -> None:
    """Remove a file or folder; folders that are closed to us are opened first. What is not there is no error."""
    with suppress(FileNotFoundError), _opened(None, str(path.parent), is_ours=True) as parent:
        if _is_folder(parent, path.name):
            with _opened(parent, path.name) as folder:
                _empty(folder)
            os.rmdir(path.name, dir_fd=parent)
        else:
            os.unlink(path.name, dir_fd=parent)


def _empty(top: int) -> None:
    """Folders that lie deep are moved up, so that neither memory nor descriptors grow with the depth."""
    numbers = count()
    while names := os.listdir(top):
        for name in names:
            _remove(top, name, top, numbers, 0)


def _remove(parent: int, name: str, top: int, numbers: Iterator[int], depth: int) -> None:
    with suppress(FileNotFoundError):
        if not _is_folder(parent, name):
            os.unlink(name, dir_fd=parent)
            return
        with _opened(parent, name) as folder:
            is_deep = depth >= _DEPTH
            if not is_deep:
                for below in os.listdir(folder):  # noqa: PTH208 - a descriptor, no path
                    _remove(folder, below, top, numbers, depth + 1)
        if is_deep:
            _move_up(parent, name, top, numbers)
        else:
            os.rmdir(name, dir_fd=parent)


def _move_up(parent: int, name: str, top: int, numbers: Iterator[int]) -> None:
    """Under a name that nobody took; an empty folder of that name is replaced."""
    for number in numbers:
        try:
            os.rename(name, f"{_UNNAMED}{number}", src_dir_fd=parent, dst_dir_fd=top)
        except OSError as error:
            if error.errno not in _TAKEN:
                raise
        else:
            return


def _is_folder(parent: int, name: str) -> bool:
    return stat.S_ISDIR(os.stat(name, dir_fd=parent, follow_symlinks=False).st_mode)


@contextmanager
def _opened(parent: int | None, name: str, *, is_ours: bool = False) -> Iterator[int]:
    """The very folder that bears the name, never one that a link leads to; its owner gets all rights to it."""
    follow = 0 if is_ours else os.O_NOFOLLOW
    found = os.open(name, os.O_PATH | os.O_DIRECTORY | follow, dir_fd=parent)
    try:
        if not is_ours and os.fstat(found).st_mode & 0o700 != 0o700:
            os.chmod(f"/proc/self/fd/{found}", 0o700)  # noqa: PTH101 - a descriptor that may be used for nothing else
        readable = os.open(".", os.O_RDONLY | os.O_DIRECTORY, dir_fd=found)
    finally:
        os.close(found)
    try:
        yield readable
    finally:
        os.close(readable)

"""Files that are being written and have no place in the store yet; what a killed writer leaves is nothing."""

from __future__ import annotations

import errno
import fcntl
import os
import secrets
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Protocol

_MODE = 0o600
_NOT_OFFERED = (errno.EOPNOTSUPP, errno.EISDIR, errno.EINVAL)  # how file systems say that they lack O_TMPFILE
_PARTIAL = ".partial"


class Draft(Protocol):
    """A file open for writing that gets its name once it is whole."""

    @property
    def file(self) -> int:
        """Its descriptor."""
        ...

    def publish(self, name: str, folder: int) -> None:
        """Give it a name in ``folder``; raises FileExistsError where the name is taken."""
        ...

    def close(self) -> None:
        """Close it; unless published, it is gone."""
        ...


class UnnamedDraft:
    """A file without any name (open(2), O_TMPFILE), which the kernel itself removes with its last writer."""

    def __init__(self, chain: Sequence[int]) -> None:
        self.file = os.open(".", os.O_TMPFILE | os.O_WRONLY | os.O_CLOEXEC, _MODE, dir_fd=chain[-1])

    def publish(self, name: str, folder: int) -> None:
        """Link it by way of /proc, which needs no privilege; linkat(2) never replaces a name."""
        os.link(f"/proc/self/fd/{self.file}", name, dst_dir_fd=folder, follow_symlinks=True)

    def close(self) -> None:
        """Close it."""
        os.close(self.file)


class NamedDraft:
    """A locked file in a hidden folder below the root, for network file systems and others without O_TMPFILE.

    A killed writer leaves its file there but not its lock, by which the next writer knows and removes it.
    """

    def __init__(self, chain: Sequence[int]) -> None:
        with suppress(FileExistsError):
            os.mkdir(_PARTIAL, 0o700, dir_fd=chain[0])
        self._folder = os.open(_PARTIAL, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=chain[0])
        try:
            _sweep(self._folder)
            self._name, self.file = _create_locked(self._folder)
        except BaseException:
            os.close(self._folder)
            raise

    def publish(self, name: str, folder: int) -> None:
        """Link it; link(2) never replaces a name."""
        os.link(self._name, name, src_dir_fd=self._folder, dst_dir_fd=folder, follow_symlinks=False)

    def close(self) -> None:
        """Remove its own name and close it."""
        try:
            with suppress(FileNotFoundError):
                os.unlink(self._name, dir_fd=self._folder)
        finally:
            os.close(self.file)
            os.close(self._folder)


def open_draft(chain: Sequence[int]) -> Draft:
    """A draft for a file in the innermost folder of ``chain`` (root first), unnamed where that can be had."""
    try:
        if Path("/proc/self/fd").exists():
            return UnnamedDraft(chain)
    except OSError as error:
        if error.errno not in _NOT_OFFERED:
            raise
    return NamedDraft(chain)


def _create_locked(folder: int) -> tuple[str, int]:
    while True:
        name = secrets.token_hex(8)
        file = os.open(name, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, _MODE, dir_fd=folder)
        with suppress(OSError):  # a file system without locks: nobody can take ours for abandoned either
            fcntl.flock(file, fcntl.LOCK_EX)
        if os.fstat(file).st_nlink:
            return name, file
        os.close(file)  # swept in the moment before we had the lock


def _sweep(folder: int) -> None:
    for name in os.listdir(folder):
        with suppress(OSError):
            file = os.open(name, os.O_WRONLY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=folder)
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                os.unlink(name, dir_fd=folder)
            finally:
                os.close(file)

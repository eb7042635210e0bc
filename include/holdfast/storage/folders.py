"""Folders below a local store's root, entered one by one so that no name can lead out of it."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from holdfast.errors import UsageError

_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC
_MODE = 0o700
_PLACE_HINT = "Mount the disk that holds the store, or correct store.url."


@contextmanager
def entered(root: Path, names: Sequence[str], *, create: bool = False) -> Iterator[tuple[int, ...]]:
    """Descriptors of ``root`` and of each folder of ``names`` below it; folders made on the way are private.

    Below the root no symbolic link is followed: UsageError. Raises OSError as the system does.
    """
    if create:
        _make_root(root)
    chain = [_open_root(root)]
    try:
        for name in names:
            if create:
                with suppress(FileExistsError):
                    os.mkdir(name, _MODE, dir_fd=chain[-1])
            chain.append(_open(name, _FOLDER, chain[-1]))
        yield tuple(chain)
    finally:
        for folder in reversed(chain):
            os.close(folder)


def open_file(name: str, folder: int) -> int:
    """Open a regular file for reading; a folder raises IsADirectoryError, any other thing UsageError."""
    # Without O_NONBLOCK, opening a named pipe would wait for its writer for ever.
    file = _open(name, _FILE | os.O_NONBLOCK, folder)
    kind = os.fstat(file).st_mode
    if stat.S_ISREG(kind):
        return file
    os.close(file)
    if stat.S_ISDIR(kind):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
    raise UsageError(f"{name} is not a regular file")


def sync(chain: Sequence[int]) -> None:
    """Make the folders' entries durable, innermost first."""
    for folder in reversed(chain):
        os.fsync(folder)


def prune(root: Path, names: Sequence[str]) -> None:
    """Remove the innermost folders of ``names`` that are empty, never ``root`` itself."""
    if not names:
        return
    with suppress(OSError, UsageError), entered(root, names[:-1]) as chain:
        for name, parent in zip(reversed(names), reversed(chain), strict=True):
            os.rmdir(name, dir_fd=parent)
            os.fsync(parent)


def _open_root(root: Path) -> int:
    try:
        return os.open(root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except (FileNotFoundError, NotADirectoryError) as error:
        _demand_place(root, error)
        raise


def _demand_place(root: Path, error: OSError | None = None) -> None:
    """Raise UsageError where the way to the root leads nowhere: then a disk is missing, and not all backups."""
    for folder in (*reversed(root.parents), root):
        if not os.path.lexists(folder):
            return
        if not folder.exists():
            reason = f"{folder} is a symbolic link to {folder.readlink()}, which is not there"
        elif not folder.is_dir():
            reason = f"{folder} is not a directory"
        else:
            continue
        raise UsageError(reason, hint=_PLACE_HINT) from error


def _open(name: str, flags: int, folder: int) -> int:
    try:
        return os.open(name, flags, dir_fd=folder)
    except OSError as error:
        # With O_NOFOLLOW a link shows as ELOOP, with O_DIRECTORY too as ENOTDIR.
        if error.errno in (errno.ELOOP, errno.ENOTDIR) and _is_link(name, folder):
            raise UsageError(f"{name} is a symbolic link, which a store never follows") from error
        raise


def _is_link(name: str, folder: int) -> bool:
    with suppress(OSError):
        return stat.S_ISLNK(os.stat(name, dir_fd=folder, follow_symlinks=False).st_mode)
    return False


def _make_root(root: Path) -> None:
    """Make the root and what it lacks above itself, each entry durable in its parent."""
    missing = []
    _demand_place(root)
    while not root.is_dir():
        missing.append(root)
        root = root.parent
    for folder in reversed(missing):
        with suppress(FileExistsError):
            folder.mkdir(_MODE)
        parent = os.open(folder.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(parent)
        finally:
            os.close(parent)

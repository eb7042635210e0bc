"""The folder that media are restored into: entered by descriptors, one name at a time, so that no link leads out."""

from __future__ import annotations

import errno
import os
import stat
from contextlib import suppress
from pathlib import Path
from types import TracebackType

from holdfast.errors import RestoreError

_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
_STOPS = (errno.ENOSPC, errno.EDQUOT)


class Refused(Exception):
    """One path that cannot be restored; the text says why, and the others go on."""


def reason_of(error: OSError) -> str:
    """What the system says, in lower case; raises the error itself where nothing more can be written at all."""
    if error.errno in _STOPS:
        raise error
    return (error.strerror or str(error)).lower()


def demand_plain(path: bytes) -> None:
    """Raise Refused for a path that is not relative, or that no folder can hold."""
    if b"\0" in path:
        raise Refused("its name holds a NUL byte")
    for name in path.split(b"/"):
        if name in (b"", b".", b".."):
            raise Refused("its name is no path below the target: it is absolute, or has an empty, . or .. part")


class Tree:
    """An opened target folder, made where it does not exist. ``is_fresh``: nothing was in it."""

    def __init__(self, root: Path) -> None:
        try:
            root.mkdir(parents=True, exist_ok=True)
            self.root = os.open(root, _FOLDER)
        except OSError as error:
            raise RestoreError(f"restore target {root}: {(error.strerror or str(error)).lower()}") from error
        with os.scandir(self.root) as entries:
            self.is_fresh = next(entries, None) is None

    def close(self) -> None:
        """Give it back."""
        os.close(self.root)


class Walker:
    """One thread's way through the tree: the folders of the last path stay open, for the next is mostly near."""

    def __init__(self, tree: Tree) -> None:
        self._root = tree.root
        self._folder: bytes | None = b""
        self._names: list[bytes] = []
        self._open: list[int] = []

    def __enter__(self) -> Walker:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._leave(0)

    def parent(self, path: bytes) -> tuple[int, bytes]:
        """(descriptor of the folder that holds ``path``, its name there); raises Refused."""
        folder, _, name = path.rpartition(b"/")
        return self.enter(folder), name

    def enter(self, folder: bytes, *, make_mode: int | None = None) -> int:
        """The descriptor of a folder, valid until the next is entered; made if it is missing and has a mode.

        Raises Refused where a part of it is missing or is no folder; a link is never followed.
        """
        if folder == self._folder:
            return self._open[-1] if self._open else self._root
        names = folder.split(b"/") if folder else []
        same = 0
        while same < min(len(names), len(self._names)) and names[same] == self._names[same]:
            same += 1
        self._folder = None
        self._leave(same)
        for name in names[same:]:
            parent = self._open[-1] if self._open else self._root
            self._open.append(self._opened(name, parent, make_mode))
            self._names.append(name)
        self._folder = folder
        return self._open[-1] if self._open else self._root

    def _opened(self, name: bytes, parent: int, make_mode: int | None) -> int:
        if make_mode is not None:
            try:
                with suppress(FileExistsError):
                    os.mkdir(name, make_mode, dir_fd=parent)
            except OSError as error:
                raise Refused(f"its folder cannot be made: {reason_of(error)}") from error
        try:
            return os.open(name, _FOLDER | os.O_NOFOLLOW, dir_fd=parent)
        except OSError as error:
            raise Refused(_why_closed(name, parent, error)) from error

    def _leave(self, kept: int) -> None:
        while len(self._open) > kept:
            os.close(self._open.pop())
            self._names.pop()


def _why_closed(name: bytes, parent: int, error: OSError) -> str:
    shown = name.decode("utf-8", "backslashreplace")
    with suppress(OSError):
        mode = os.stat(name, dir_fd=parent, follow_symlinks=False).st_mode
        if stat.S_ISLNK(mode):
            return f"its folder {shown} is a symbolic link in the target, which is never followed"
        if not stat.S_ISDIR(mode):
            return f"its folder {shown} is a file in the target"
    return f"its folder {shown} cannot be entered: {reason_of(error)}"

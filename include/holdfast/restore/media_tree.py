"""The folder that media are restored into: entered by descriptors, one name at a time, so that no link leads out."""

from __future__ import annotations

import errno
import os
import stat
from collections import deque
from contextlib import suppress
from pathlib import Path
from types import TracebackType

from holdfast.errors import RestoreError
from holdfast.media.entries import shown

_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
_STOPS = (errno.ENOSPC, errno.EDQUOT, errno.EROFS)
_OPEN_AT_ONCE = 32
"""Descriptors that a walker holds at most: a tree may be deeper than a process may have files open."""


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

    def __init__(self, root: Path, *, follow_link: bool = True) -> None:
        try:
            root.mkdir(parents=True, exist_ok=True)
            self.root = os.open(root, _FOLDER if follow_link else _FOLDER | os.O_NOFOLLOW)
        except OSError as error:
            reason = (error.strerror or str(error)).lower()
            raise RestoreError(f"restore target {shown(os.fsencode(root))}: {reason}") from error
        with os.scandir(self.root) as entries:
            self.is_fresh = next(entries, None) is None

    def close(self) -> None:
        """Give it back."""
        os.close(self.root)


class Walker:
    """One thread's way through the tree: the last folders of the last path stay open, for the next is mostly near."""

    def __init__(self, tree: Tree) -> None:
        self._root = tree.root
        self._folder: bytes | None = b""
        self._names: list[bytes] = []
        self._open: deque[int] = deque()
        """Descriptors of the last folders of the path, as many as are held."""

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
            return self._deepest
        names = folder.split(b"/") if folder else []
        same = self._shared(folder, names)
        self._folder = None
        self._leave(same)
        if not self._open:  # the folder to go on from is not held any more
            self._names.clear()
        for name in names[len(self._names) :]:
            self._hold(self._opened(name, self._deepest, make_mode))
            self._names.append(name)
        self._folder = folder
        return self._deepest

    @property
    def _deepest(self) -> int:
        return self._open[-1] if self._open else self._root

    def _shared(self, folder: bytes, names: list[bytes]) -> int:
        """How many names the path of this folder begins with as the last one did."""
        last = self._folder
        if last is not None and (not last or folder.startswith(last + b"/")):
            return len(self._names)
        if last is not None and (not folder or last.startswith(folder + b"/")):
            return len(names)
        pairs = zip(names, self._names, strict=False)
        return next((at for at, (new, old) in enumerate(pairs) if new != old), min(len(names), len(self._names)))

    def _hold(self, folder: int) -> None:
        self._open.append(folder)
        if len(self._open) > _OPEN_AT_ONCE:
            os.close(self._open.popleft())

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
        for _ in range(len(self._names) - kept):
            self._names.pop()
            if self._open:
                os.close(self._open.pop())


def _why_closed(name: bytes, parent: int, error: OSError) -> str:
    title = shown(name)
    with suppress(OSError):
        mode = os.stat(name, dir_fd=parent, follow_symlinks=False).st_mode
        if stat.S_ISLNK(mode):
            return f"its folder {title} is a symbolic link in the target, which is never followed"
        if not stat.S_ISDIR(mode):
            return f"its folder {title} is a file in the target"
    return f"its folder {title} cannot be entered: {reason_of(error)}"

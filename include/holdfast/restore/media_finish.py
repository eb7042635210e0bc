"""What follows once all files stand: hard links, symbolic links, which nothing is written through, then folders."""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import suppress
from functools import partial

from holdfast.errors import RestoreError
from holdfast.restore.media_files import (
    IS_ROOT,
    NO_LINKS,
    Marks,
    NewFile,
    found,
    replace,
    same_standing,
    why_taken,
    write_all,
)
from holdfast.restore.media_plan import HardLink, Plan
from holdfast.restore.media_tally import Tally
from holdfast.restore.media_tree import Refused, Tree, Walker, reason_of

_FOLDER_MODE = 0o755
_PRIVATE = 0o700
_PIECE_BYTES = 1 << 20


class Finish:
    """Hard links, symbolic links and folders of one restore; what cannot be made is named in the tally."""

    def __init__(self, plan: Plan, tree: Tree, tally: Tally, *, overwrite: bool) -> None:
        self._plan, self._tree, self._tally, self._overwrite = plan, tree, tally, overwrite
        self.hard_links = self.links = self.folders = 0

    def make_folders(self) -> None:
        """All folders, before anything goes into them; those with marks of their own are closed to others meanwhile."""
        with Walker(self._tree) as walker:
            for path, marks in self._plan.folders():
                mode = 0o777 if marks is None else _PRIVATE
                self._attempt(path, partial(self._make_folder, walker, path, mode))

    def link(self) -> None:
        """Hard links, then symbolic links."""
        with Walker(self._tree) as walker, Walker(self._tree) as other:
            for link in self._plan.hard_links():
                self._attempt(link.path, partial(self._hard_link, walker, other, link))
            for path, target, marks in self._plan.links():
                self._attempt(path, partial(self._link, walker, path, target, marks))

    def mark_folders(self) -> None:
        """Give folders their marks, the deepest first: what is above may be closed afterwards."""
        with Walker(self._tree) as walker:
            for path, marks in self._plan.folders(deepest_first=True):
                if marks is not None:
                    with suppress(Refused):  # it was named when it could not be made
                        folder = walker.enter(path)
                        self._attempt(path, partial(self._mark, folder, marks))

    def _attempt(self, path: bytes, act: Callable[[], None]) -> None:
        self._tally.add()
        try:
            act()
        except Refused as refused:
            self._tally.fault(path, str(refused))
        except OSError as error:
            self._tally.fault(path, f"it cannot be made: {reason_of(error)}")

    def _make_folder(self, walker: Walker, path: bytes, mode: int) -> None:
        try:
            walker.enter(path, make_mode=mode)
        except Refused:
            if not self._overwrite or not _removed_file(*walker.parent(path)):
                raise
            walker.enter(path, make_mode=mode)
        self.folders += 1

    def _mark(self, folder: int, marks: Marks) -> None:
        if not marks.put_on(folder, _FOLDER_MODE):
            self._tally.add(unowned=1)

    def _hard_link(self, walker: Walker, other: Walker, link: HardLink) -> None:
        if not link.is_there:
            raise Refused("the file that it is a hard link to could not be restored")
        folder, name = walker.parent(link.path)
        from_folder, from_name = other.parent(link.to)
        if found(folder, name) is not None:
            same = same_standing(walker, link.path, link.size, link.sha256, None)
            if same is not None and os.path.samestat(
                same.status, os.stat(from_name, dir_fd=from_folder, follow_symlinks=False)
            ):
                self._tally.add(skipped=1)
                return
            if same is None and not self._overwrite:
                raise Refused(why_taken(folder, name))
            replace(folder, name, partial(_join, from_folder, from_name))
        else:
            _join(from_folder, from_name, folder, name)
        self.hard_links += 1

    def _link(self, walker: Walker, path: bytes, target: bytes, marks: Marks) -> None:
        folder, name = walker.parent(path)
        if found(folder, name) is None:
            _make_link(target, marks, folder, name)
        elif _leads_to(target, folder, name):
            _mark_link(marks, folder, name)
            self._tally.add(skipped=1)
            return
        elif not self._overwrite:
            raise Refused(why_taken(folder, name))
        else:
            replace(folder, name, partial(_make_link, target, marks))
        self.links += 1


def _removed_file(folder: int, name: bytes) -> bool:
    """Remove a file or link that stands where a folder is to be; False where nothing of the kind does."""
    try:
        os.unlink(name, dir_fd=folder)
    except (FileNotFoundError, IsADirectoryError, PermissionError):
        return False
    return True


def _leads_to(target: bytes, folder: int, name: bytes) -> bool:
    try:
        return os.readlink(name, dir_fd=folder) == target
    except OSError:
        return False


def _make_link(target: bytes, marks: Marks, folder: int, name: bytes) -> None:
    os.symlink(target, name, dir_fd=folder)
    _mark_link(marks, folder, name)


def _mark_link(marks: Marks, folder: int, name: bytes) -> None:
    """Owner and time, as far as the file system lets links have them."""
    if IS_ROOT and marks.uid is not None and marks.gid is not None:
        with suppress(OSError):
            os.chown(name, marks.uid, marks.gid, dir_fd=folder, follow_symlinks=False)
    if marks.mtime_ns is not None:
        with suppress(OSError, OverflowError):
            os.utime(name, ns=(marks.mtime_ns, marks.mtime_ns), dir_fd=folder, follow_symlinks=False)


def _join(from_folder: int, from_name: bytes, folder: int, name: bytes) -> None:
    """A hard link, or a copy where the file system has none."""
    try:
        os.link(from_name, name, src_dir_fd=from_folder, dst_dir_fd=folder, follow_symlinks=False)
    except OSError as error:
        if error.errno not in NO_LINKS:
            raise
        _copy(from_folder, from_name, folder, name)


def _copy(from_folder: int, from_name: bytes, folder: int, name: bytes) -> None:
    """For file systems without hard links."""
    source = os.open(from_name, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=from_folder)
    try:
        new = NewFile(folder)
        try:
            offset = 0
            while piece := os.pread(source, _PIECE_BYTES, offset):
                write_all(new.file, memoryview(piece), offset)
                offset += len(piece)
            status = os.fstat(source)
            Marks(status.st_mtime_ns, status.st_mode & 0o7777, status.st_uid, status.st_gid).put_on(new.file, 0o644)
            new.publish(folder, name, overwrite=False)
        finally:
            new.close()
    finally:
        os.close(source)


def flush(tree: Tree) -> None:
    """Have everything on disk; raises RestoreError where the disk failed."""
    import ctypes

    libc = ctypes.CDLL(None, use_errno=True)
    if not hasattr(libc, "syncfs"):
        os.sync()
    elif libc.syncfs(tree.root) != 0:
        raise RestoreError(f"restore target: {os.strerror(ctypes.get_errno()).lower()} while writing to disk")

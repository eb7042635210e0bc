"""Writes files so that under its name there is the whole, checked file with all its marks, or nothing."""

from __future__ import annotations

import errno
import hashlib
import os
import secrets
import stat
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from holdfast.restore.media_tree import Refused, Walker, reason_of

_NOT_OFFERED = (errno.EOPNOTSUPP, errno.EISDIR, errno.EINVAL)
NO_LINKS = (errno.EPERM, errno.EOPNOTSUPP, errno.EMLINK, errno.ENOSYS)
_NO_OWNERS = (errno.EPERM, errno.EOPNOTSUPP, errno.EINVAL, errno.ENOSYS)
_READ = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_PIECE_BYTES = 1 << 20
_PERMISSIONS = 0o777
_HAS_PROC = Path("/proc/self/fd").is_dir()
_FULL_FOLDER = "a folder that is not empty stands in its place"
IS_ROOT = os.geteuid() == 0


class Marks(NamedTuple):
    """What a file or directory has beside its bytes; None for what its source did not tell."""

    mtime_ns: int | None
    mode: int | None
    uid: int | None
    gid: int | None

    def put_on(self, target: int, default_mode: int) -> bool:
        """Give them to an open file or folder, owner first, for a change of owner takes special bits away.

        The owner is only given where this is root; False where even root may not on that file system.
        """
        mode = default_mode if self.mode is None else self.mode
        is_owned = IS_ROOT and self.uid is not None and self.gid is not None
        if is_owned:
            is_owned = _given_away(target, self.uid, self.gid)  # type: ignore[arg-type]
        # Special bits under another owner would lend that owner's rights to strange code.
        os.fchmod(target, mode if is_owned else mode & _PERMISSIONS)
        if self.mtime_ns is not None:
            with suppress(OverflowError):
                os.utime(target, ns=(self.mtime_ns, self.mtime_ns))
        return is_owned or not IS_ROOT or self.uid is None

    def mend(self, target: int, status: os.stat_result) -> bool:
        """Give an open file that stands there already what it lacks of them; the same as ``put_on``."""
        mode = stat.S_IMODE(status.st_mode)
        is_right = (
            self.mode in (None, mode)
            and self.mtime_ns in (None, status.st_mtime_ns)
            and (not IS_ROOT or self.uid is None or (self.uid, self.gid) == (status.st_uid, status.st_gid))
        )
        return is_right or self.put_on(target, mode)


def _given_away(target: int, uid: int, gid: int) -> bool:
    try:
        os.fchown(target, uid, gid)
    except OSError as error:
        if error.errno not in _NO_OWNERS:
            raise
        return False
    return True


class NewFile:
    """A file without a name in an open folder, which the kernel itself removes if this process dies.

    Where the file system lacks such files it has a hidden name, which is removed unless the process is killed.
    """

    __slots__ = ("_folder", "_hidden", "file")

    def __init__(self, folder: int) -> None:
        self._folder = -1
        self._hidden: bytes | None = None
        try:
            if not _HAS_PROC:
                raise OSError(errno.EOPNOTSUPP, "")
            self.file = os.open(b".", os.O_TMPFILE | os.O_RDWR | os.O_CLOEXEC, 0o600, dir_fd=folder)
        except OSError as error:
            if error.errno not in _NOT_OFFERED:
                raise
            self._hidden = _hidden_name()
            # The walker may have left the folder by the time that the name has to go.
            self._folder = os.dup(folder)
            flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
            self.file = os.open(self._hidden, flags, 0o600, dir_fd=folder)

    def publish(self, folder: int, name: bytes, *, overwrite: bool) -> None:
        """Give it its name; raises Refused where that is taken, unless it may be overwritten."""
        try:
            self._link(folder, name)
        except FileExistsError:
            if not overwrite:
                raise Refused(why_taken(folder, name)) from None
            replace(folder, name, self._link)

    def close(self) -> None:
        """Close it; without a name it is gone."""
        if self._hidden is not None:
            with suppress(OSError):
                os.unlink(self._hidden, dir_fd=self._folder)
            os.close(self._folder)
        os.close(self.file)

    def _link(self, folder: int, name: bytes) -> None:
        if self._hidden is None:
            os.link(f"/proc/self/fd/{self.file}", name, dst_dir_fd=folder, follow_symlinks=True)
            return
        try:
            os.link(self._hidden, name, src_dir_fd=self._folder, dst_dir_fd=folder, follow_symlinks=False)
        except OSError as error:
            if error.errno not in NO_LINKS:
                raise
            if found(folder, name) is not None:
                raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST)) from None
            os.rename(self._hidden, name, src_dir_fd=self._folder, dst_dir_fd=folder)


def replace(folder: int, name: bytes, make: Callable[[int, bytes], None]) -> None:
    """Have ``make`` put something new in the place of what stands there, in one step where that is no folder.

    An empty folder is removed. Raises Refused for one that is not.
    """
    hidden = _hidden_name()
    make(folder, hidden)
    try:
        try:
            os.rename(hidden, name, src_dir_fd=folder, dst_dir_fd=folder)
        except IsADirectoryError:
            _remove_empty(folder, name)
            os.rename(hidden, name, src_dir_fd=folder, dst_dir_fd=folder)
    except BaseException:
        with suppress(FileNotFoundError):
            os.unlink(hidden, dir_fd=folder)
        raise


def why_taken(folder: int, name: bytes) -> str:
    """What is said of a name that is taken."""
    with suppress(OSError):
        opened = os.open(name, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=folder)
        try:
            with os.scandir(opened) as entries:
                if next(entries, None) is not None:
                    return _FULL_FOLDER
        finally:
            os.close(opened)
    return "something else stands there already; --overwrite replaces it"


def _remove_empty(folder: int, name: bytes) -> None:
    try:
        os.rmdir(name, dir_fd=folder)
    except OSError as error:
        if error.errno not in (errno.ENOTEMPTY, errno.EEXIST):
            raise
        raise Refused(_FULL_FOLDER) from None


def _hidden_name() -> bytes:
    return b".holdfast-" + secrets.token_hex(8).encode()


def found(folder: int, name: bytes) -> os.stat_result | None:
    """What stands under a name, links not followed; None for nothing."""
    try:
        return os.stat(name, dir_fd=folder, follow_symlinks=False)
    except FileNotFoundError:
        return None


def size_standing(walker: Walker, path: bytes) -> int | None:
    """The size of what stands under ``path``; None where nothing does, or nothing can."""
    try:
        folder, name = walker.parent(path)
        status = found(folder, name)
    except (Refused, OSError):
        return None
    return None if status is None else status.st_size


class Standing(NamedTuple):
    """A file that stands there already, the same to the byte. ``is_owned``: its owner is the right one or may be."""

    status: os.stat_result
    is_owned: bool


def same_standing(walker: Walker, path: bytes, size: int, sha256: str, marks: Marks | None) -> Standing | None:
    """The regular file of that size and hash that stands under ``path``, None for another; it is given its marks."""
    folder, name = walker.parent(path)
    try:
        file = os.open(name, _READ, dir_fd=folder)
    except OSError as error:
        if error.errno in (errno.ENOENT, errno.ELOOP, errno.ENXIO):
            return None
        raise Refused(f"what stands there cannot be read: {reason_of(error)}") from error
    try:
        status = os.fstat(file)
        if not stat.S_ISREG(status.st_mode) or status.st_size != size or _sha256(file) != sha256:
            return None
        try:
            return Standing(status, is_owned=marks is None or marks.mend(file, status))
        except OSError as error:
            raise Refused(f"its bytes are there, its mode or time cannot be set: {reason_of(error)}") from error
    finally:
        os.close(file)


def _sha256(file: int) -> str:
    digest = hashlib.sha256()
    while piece := os.read(file, _PIECE_BYTES):
        digest.update(piece)
    return digest.hexdigest()


def write_all(file: int, data: memoryview, offset: int) -> None:
    """Write all of ``data`` at ``offset``."""
    while data:
        written = os.pwrite(file, data, offset)
        offset += written
        data = data[written:]

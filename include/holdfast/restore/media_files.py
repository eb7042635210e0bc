"""Writes files so that under its name there is the whole, checked file with all its marks, or nothing."""

from __future__ import annotations

import errno
import hashlib
import os
import secrets
import stat
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
        self._hidden: str | None = None
        try:
            if not _HAS_PROC:
                raise OSError(errno.EOPNOTSUPP, "")
            self.file = os.open(b".", os.O_TMPFILE | os.O_RDWR | os.O_CLOEXEC, 0o600, dir_fd=folder)
        except OSError as error:
            if error.errno not in _NOT_OFFERED:
                raise
            self._hidden = f".holdfast-{secrets.token_hex(8)}"
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
                raise Refused(TAKEN) from None
            clear(folder, name)
            self._link(folder, name)

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


TAKEN = "something else stands there already; --overwrite replaces it"


def clear(folder: int, name: bytes) -> None:
    """Remove what stands under a name, never a folder: raises Refused for one."""
    status = found(folder, name)
    if status is not None and stat.S_ISDIR(status.st_mode):
        raise Refused("a folder stands in its place")
    with suppress(FileNotFoundError):
        os.unlink(name, dir_fd=folder)


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


def is_same(walker: Walker, path: bytes, size: int, sha256: str) -> bool:
    """Whether a regular file of that size and hash stands under ``path``."""
    folder, name = walker.parent(path)
    try:
        file = os.open(name, _READ, dir_fd=folder)
    except OSError as error:
        if error.errno in (errno.ENOENT, errno.ELOOP, errno.ENXIO):
            return False
        raise Refused(f"what stands there cannot be read: {reason_of(error)}") from error
    try:
        status = os.fstat(file)
        if not stat.S_ISREG(status.st_mode) or status.st_size != size:
            return False
        digest = hashlib.sha256()
        while piece := os.read(file, _PIECE_BYTES):
            digest.update(piece)
        return digest.hexdigest() == sha256
    finally:
        os.close(file)


def write_all(file: int, data: memoryview, offset: int) -> None:
    """Write all of ``data`` at ``offset``."""
    while data:
        written = os.pwrite(file, data, offset)
        offset += written
        data = data[written:]

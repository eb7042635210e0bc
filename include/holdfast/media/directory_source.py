"""Media in a directory: walked by descriptors, so that no link, whenever it appears, leads out of the root."""

from __future__ import annotations

import errno
import os
import stat
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from holdfast.media.entries import text_field
from holdfast.media.source import Found, Reader, SourceUnavailable, Unreadable, Vanished

_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
_FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC
_PIECE_BYTES = 1 << 20
_GONE = (errno.ENOENT, errno.ENOTDIR, errno.ELOOP)
# File systems stamp changes with clocks as coarse as two seconds.
_SETTLED_NS = 2_500_000_000
_SPARSE_BYTES = 256 * 1024
_MOST_EXTENTS = 4096
_MANY = 20_000
_MARKS = ("st_mode", "st_size", "st_mtime_ns", "st_ctime_ns", "st_uid", "st_gid", "st_nlink", "st_ino", "st_dev")
_Look = tuple[bytes, os.stat_result | None, bytes | None]  # name, state (None: gone), a link's target


class DirectorySource:
    """Every file, directory and link below ``root``; mounted file systems are walked too."""

    readers = 2

    def __init__(self, root: Path) -> None:
        self._root = root
        self._devices: dict[int, int] = {}
        self._near = threading.local()

    @property
    def url(self) -> str:
        """The root as a file URL."""
        return self._root.as_uri()

    @property
    def file_systems(self) -> int:
        """How many held files in the last walk, the root's own counted always; see Source."""
        return len(self._devices)

    def scan(self) -> Iterator[Found]:
        """Every path in bytewise order; see Source."""
        root = self._open_root()
        try:
            self._devices = {os.fstat(root).st_dev: 0}
            waiting = [self._entries(_Folder(os.dup(root)), b"")]
            while waiting:
                found = next(waiting[-1], None)
                if found is None:
                    waiting.pop()
                elif found.kind != "directory":
                    yield found
                else:
                    seen, inside = self._enter(root, found)
                    yield seen
                    waiting.append(inside)
        finally:
            os.close(root)

    def open(self, found: Found) -> Reader:
        """A file of the tree; see Source."""
        folder, _, name = found.path.rpartition(b"/")
        try:
            file = os.open(name, _FILE, dir_fd=self._folder(folder))
        except OSError as error:
            raise _explained(error) from error
        reader = FileReader(file, found.path, self._described)
        if reader.now().kind != "file":
            reader.close()
            raise Vanished("it is no regular file any more")
        return reader

    def _open_root(self) -> int:
        try:
            return os.open(self._root, _FOLDER)
        except OSError as error:
            raise SourceUnavailable(
                f"media source {self._root}: {(error.strerror or str(error)).lower()}",
                hint="Is its file system mounted, and may this user read it? media.source in the policy names it.",
            ) from error

    def _enter(self, root: int, found: Found) -> tuple[Found, Iterator[Found]]:
        """The directory as it is when it is entered, and what it holds."""
        try:
            folder = _Folder(_open_below(root, found.path.rstrip(b"/")))
            return found, self._entries(folder, found.path)
        except OSError as error:
            if error.errno in _GONE:
                return Found(found.path, "vanished", _line(found.path, "vanished")), iter(())
            return found._replace(fault=_reason(error)), iter(())

    def _entries(self, folder: _Folder, prefix: bytes) -> Iterator[Found]:
        """What a directory holds, in order; a directory's name counts with its slash."""
        with os.scandir(folder.descriptor) as entries:
            names = [
                os.fsencode(entry.name) + (b"/" if entry.is_dir(follow_symlinks=False) else b"") for entry in entries
            ]
        names.sort()
        looks = self._looks(folder, names)
        # Few are looked at together, so that a deep tree keeps no descriptors; many one by one, to save memory.
        return self._in_order(prefix, looks if len(names) > _MANY else iter(list(looks)))

    def _looks(self, folder: _Folder, names: list[bytes]) -> Iterator[_Look]:
        for name in names:
            try:
                status = os.stat(name.rstrip(b"/"), dir_fd=folder.descriptor, follow_symlinks=False)
                is_link = stat.S_ISLNK(status.st_mode)
                yield name, status, os.readlink(name, dir_fd=folder.descriptor) if is_link else None
            except OSError:  # gone, or replaced by something else, since it was listed
                yield name, None, None

    def _in_order(self, prefix: bytes, looks: Iterator[_Look]) -> Iterator[Found]:
        settled_ns = time.time_ns() - _SETTLED_NS
        for name, status, target in looks:
            path = prefix + name
            if status is None or stat.S_ISDIR(status.st_mode) != name.endswith(b"/"):
                yield Found(path, "vanished", _line(path, "vanished"))
            else:
                yield self._described(path, status, target, settled_ns)

    def _described(
        self, path: bytes, status: os.stat_result, target: bytes | None = None, settled_ns: int | None = None
    ) -> Found:
        mode = status.st_mode
        if stat.S_ISREG(mode):
            return self._file(path, status, time.time_ns() - _SETTLED_NS if settled_ns is None else settled_ns)
        if stat.S_ISDIR(mode):
            return Found(path, "directory", _line(path, "directory", _owned(status)))
        if stat.S_ISLNK(mode):
            more = f"{_owned(status)},{text_field('target', target or b'')}"
            return Found(path, "link", _line(path, "link", more))
        return Found(path, "special", _line(path, "special", _owned(status)))

    def _file(self, path: bytes, status: os.stat_result, settled_ns: int) -> Found:
        device = self._devices.setdefault(status.st_dev, len(self._devices))
        elsewhere = f'"device":{device},' if device else ""
        line = (
            f'{{{text_field("path", path)},"type":"file","size":{status.st_size},"mtime_ns":{status.st_mtime_ns},'
            f'"mode":{status.st_mode & 0o7777},"uid":{status.st_uid},"gid":{status.st_gid},'
            f'"ctime_ns":{status.st_ctime_ns},{elsewhere}"inode":{status.st_ino},"links":{status.st_nlink},'
        )
        touched_ns = max(status.st_mtime_ns, status.st_ctime_ns)
        return Found(
            path,
            "file",
            line.encode("ascii"),
            status.st_size,
            status.st_mode & 0o7777,
            status.st_mtime_ns,
            (device, status.st_ino) if status.st_nlink > 1 else None,
            touched_ns < settled_ns,
        )

    def _folder(self, path: bytes) -> int:
        """A descriptor of a directory; each thread keeps its last one, since files of one folder come in rows."""
        near: tuple[bytes, _Folder] | None = getattr(self._near, "folder", None)
        if near is None or near[0] != path:
            root = self._open_root()
            try:
                near = self._near.folder = (path, _Folder(_open_below(root, path)))
            finally:
                os.close(root)
        return near[1].descriptor


class FileReader:
    """An open file of the tree."""

    def __init__(self, file: int, path: bytes, describe: Callable[[bytes, os.stat_result], Found]) -> None:
        self._file = file
        self._path = path
        self._describe = describe
        self._last: tuple[tuple[int, ...], Found] | None = None

    def pieces(self, offset: int, length: int) -> Iterator[bytes]:
        """Part of the file; see Reader. Raises Unreadable."""
        end = offset + length
        try:
            while offset < end and (piece := os.pread(self._file, min(_PIECE_BYTES, end - offset), offset)):
                yield piece
                offset += len(piece)
        except OSError as error:
            raise _explained(error) from error

    def extents(self) -> tuple[tuple[int, int], ...] | None:
        """The parts of a sparse file that hold data; see Reader."""
        status = os.fstat(self._file)
        if status.st_size < _SPARSE_BYTES or status.st_blocks * 512 >= status.st_size:
            return None
        found: list[tuple[int, int]] = []
        end = 0
        try:
            while end < status.st_size and len(found) <= _MOST_EXTENTS:
                start = os.lseek(self._file, end, os.SEEK_DATA)
                end = min(os.lseek(self._file, start, os.SEEK_HOLE), status.st_size)
                found.append((start, end - start))
        except OSError as error:
            if error.errno != errno.ENXIO:  # no more data up to the end
                return None
        return tuple(found) if len(found) <= _MOST_EXTENTS else None

    def now(self) -> Found:
        """The file's present state; see Reader."""
        status = os.fstat(self._file)
        marks = tuple(getattr(status, name) for name in _MARKS)
        if self._last is None or self._last[0] != marks:
            self._last = (marks, self._describe(self._path, status))
        return self._last[1]

    def close(self) -> None:
        """Close the file."""
        os.close(self._file)


class _Folder:
    """A directory's descriptor that is closed with the last who holds it."""

    __slots__ = ("descriptor",)

    def __init__(self, descriptor: int) -> None:
        self.descriptor = descriptor

    def __del__(self) -> None:
        os.close(self.descriptor)


def _open_below(root: int, path: bytes) -> int:
    """A directory below ``root``, entered name by name so that no link is followed."""
    folder = os.dup(root)
    for name in path.split(b"/") if path else ():
        try:
            inner = os.open(name, _FOLDER | os.O_NOFOLLOW, dir_fd=folder)
        finally:
            os.close(folder)
        folder = inner
    return folder


def _line(path: bytes, kind: str, more: str = "") -> bytes:
    return f'{{{text_field("path", path)},"type":"{kind}"{more}}}'.encode("ascii")


def _owned(status: os.stat_result) -> str:
    mode = stat.S_IMODE(status.st_mode)
    return f',"mtime_ns":{status.st_mtime_ns},"mode":{mode},"uid":{status.st_uid},"gid":{status.st_gid}'


def _explained(error: OSError) -> Vanished | Unreadable:
    return Vanished(_reason(error)) if error.errno in _GONE else Unreadable(_reason(error))


def _reason(error: OSError) -> str:
    return (error.strerror or str(error)).lower()

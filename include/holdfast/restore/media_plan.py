"""What a restore of media has to do, kept compactly in memory, for a million files and more."""

from __future__ import annotations

import json
import sqlite3
import threading
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from holdfast.media.entries import Content, Entry
from holdfast.restore.media_files import Marks

_BATCH = 500
_SCHEMA = """
CREATE TABLE files (shard INTEGER, offset INTEGER, sha256 BLOB, path BLOB, size INTEGER, stored INTEGER, extents TEXT,
    mtime_ns INTEGER, mode INTEGER, uid INTEGER, gid INTEGER, linked INTEGER,
    PRIMARY KEY (shard, offset, sha256, path)) WITHOUT ROWID;
CREATE TABLE ids (device INTEGER, inode INTEGER, sha256 BLOB, path BLOB, number INTEGER, done INTEGER,
    PRIMARY KEY (device, inode, sha256)) WITHOUT ROWID;
CREATE TABLE hard_links (path BLOB PRIMARY KEY, number INTEGER, size INTEGER) WITHOUT ROWID;
CREATE TABLE links (path BLOB PRIMARY KEY, target BLOB, mtime_ns INTEGER, uid INTEGER, gid INTEGER) WITHOUT ROWID;
CREATE TABLE folders (path BLOB PRIMARY KEY, is_listed INTEGER, mtime_ns INTEGER, mode INTEGER, uid INTEGER,
    gid INTEGER) WITHOUT ROWID;
"""
NO_SHARD = -1
"""In the place of a shard's number: files of which nothing is stored, being empty or one hole."""


class FileTask(NamedTuple):
    """One file to be restored. ``linked`` numbers files that have hard links."""

    offset: int
    sha256: str
    path: bytes
    size: int
    stored_bytes: int
    extents: tuple[tuple[int, int], ...] | None
    marks: Marks
    linked: int | None


class HardLink(NamedTuple):
    """A path that leads to the file restored as ``to``; ``is_there``: whether that was restored."""

    path: bytes
    to: bytes
    size: int
    sha256: str
    is_there: bool


class Plan:
    """Everything to be restored, by kind. For several threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._base = sqlite3.connect(":memory:", check_same_thread=False, isolation_level=None)
        self._base.executescript(_SCHEMA)
        self._shards: dict[str, int] = {}
        self._links = 0
        self._near: bytes | None = None

    def close(self) -> None:
        """Free the memory."""
        self._base.close()

    def add_folder(self, path: bytes, marks: Marks) -> None:
        """A folder that the listing names, without its closing slash."""
        self._base.execute("INSERT OR REPLACE INTO folders VALUES (?, 1, ?, ?, ?, ?)", (path, *marks))

    def add_parents(self, path: bytes) -> None:
        """The folders that a path lies in; to be called for each folder that is added, too."""
        parent = path.rpartition(b"/")[0]
        if parent == self._near:
            return
        self._near = parent
        while parent and self._is_new(parent):  # those above one that is known are known
            parent = parent.rpartition(b"/")[0]

    def _is_new(self, folder: bytes) -> bool:
        added = self._base.execute("INSERT OR IGNORE INTO folders (path, is_listed) VALUES (?, 0)", (folder,))
        return added.rowcount > 0

    def take_impossible(self) -> list[bytes]:
        """Take out the files and links that something else lies below, which buckets may have, and return them."""
        found: list[bytes] = []
        for table in ("files", "hard_links", "links"):
            query = f"DELETE FROM {table} WHERE path IN (SELECT path FROM folders) RETURNING path"  # noqa: S608
            found.extend(path for (path,) in self._base.execute(query))
        return found

    def add_link(self, entry: Entry) -> None:
        """A symbolic link."""
        row = (entry.path, entry.target, entry.mtime_ns, entry.uid, entry.gid)
        self._base.execute("INSERT OR IGNORE INTO links VALUES (?, ?, ?, ?, ?)", row)

    def add_file(self, entry: Entry, content: Content, stored_bytes: int) -> None:
        """A file, or one more hard link to one."""
        number = self._number(entry, content) if entry.file_id is not None else None
        if number is not None and number < 0:
            row = (entry.path, ~number, entry.size)
            self._base.execute("INSERT OR IGNORE INTO hard_links VALUES (?, ?, ?)", row)
            return
        shard = self._shards.setdefault(content.shard, len(self._shards)) if stored_bytes else NO_SHARD
        extents = None if content.extents is None else json.dumps(content.extents)
        sha256 = bytes.fromhex(content.sha256)
        marks = (entry.mtime_ns, entry.mode, entry.uid, entry.gid)
        self._base.execute(
            "INSERT OR IGNORE INTO files VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (shard, content.offset, sha256, entry.path, entry.size, stored_bytes, extents, *marks, number),
        )

    def _number(self, entry: Entry, content: Content) -> int:
        """The number of the linked file; its complement where a path of it is known already.

        The hash belongs to what identifies it: a file that changed between two of its paths is restored twice.
        """
        key = (*(entry.file_id or ()), bytes.fromhex(content.sha256))
        query = "SELECT number FROM ids WHERE device = ? AND inode = ? AND sha256 = ?"
        row = self._base.execute(query, key).fetchone()
        if row is not None:
            return ~int(row[0])
        self._links += 1
        self._base.execute("INSERT INTO ids VALUES (?, ?, ?, ?, ?, 0)", (*key, entry.path, self._links))
        return self._links

    def shards(self) -> list[tuple[str | None, int]]:
        """(shard, its number) of all that are needed; None for files of which nothing is stored."""
        rows = self._base.execute("SELECT DISTINCT shard FROM files").fetchall()
        names: dict[int, str | None] = {number: name for name, number in self._shards.items()}
        return [(names.get(number), number) for (number,) in rows]

    def needed(self, block_bytes: int) -> tuple[int, int]:
        """(files, the bytes that they take of a file system with such blocks)."""
        query = "SELECT count(*), total((stored + :block - 1) / :block * :block) FROM files"
        count, size_bytes = self._base.execute(query, {"block": block_bytes}).fetchone()
        return int(count), int(size_bytes)

    def stored_bytes(self) -> int:
        """Bytes of all files as far as they are stored."""
        return int(self._base.execute("SELECT total(stored) FROM files").fetchone()[0])

    def files(self, shard: int) -> Iterator[FileTask]:
        """The files of a shard in the order of their offsets."""
        query = (
            "SELECT offset, sha256, path, size, stored, extents, mtime_ns, mode, uid, gid, linked "
            "FROM files WHERE shard = ? ORDER BY offset, sha256, path"
        )
        for offset, sha256, path, size, stored, parts, mtime_ns, mode, uid, gid, linked in self._rows(query, (shard,)):
            extents = None if parts is None else tuple((start, length) for start, length in json.loads(parts))
            marks = Marks(mtime_ns, mode, uid, gid)
            yield FileTask(offset, sha256.hex(), path, size, stored, extents, marks, linked)

    def drop(self, shard: int, done: Sequence[FileTask]) -> None:
        """Take files out that need not be written."""
        with self._lock:
            self._base.executemany(
                "DELETE FROM files WHERE shard = ? AND offset = ? AND sha256 = ? AND path = ?",
                [(shard, task.offset, bytes.fromhex(task.sha256), task.path) for task in done],
            )

    def mark_linked(self, numbers: Sequence[int]) -> None:
        """Files that have hard links are there now."""
        with self._lock:
            self._base.executemany("UPDATE ids SET done = 1 WHERE number = ?", [(number,) for number in numbers])

    def hard_links(self) -> Iterator[HardLink]:
        """Every further path of files that have several."""
        query = (
            "SELECT hard_links.path, ids.path, size, sha256, done FROM hard_links JOIN ids USING (number) "
            "ORDER BY hard_links.path"
        )
        self._base.execute("CREATE INDEX IF NOT EXISTS by_number ON ids (number)")
        for path, to, size, sha256, done in self._rows(query, ()):
            yield HardLink(path, to, size, sha256.hex(), bool(done))

    def links(self) -> Iterator[tuple[bytes, bytes, Marks]]:
        """(path, target, marks) of every symbolic link."""
        for path, target, mtime_ns, uid, gid in self._rows("SELECT * FROM links ORDER BY path", ()):
            yield path, target, Marks(mtime_ns, None, uid, gid)

    def folders(self, *, deepest_first: bool = False) -> Iterator[tuple[bytes, Marks | None]]:
        """(path, marks) of every folder, None for one that no listing names; those above before those below."""
        order = "DESC" if deepest_first else "ASC"
        for path, is_listed, *marks in self._rows(f"SELECT * FROM folders ORDER BY path {order}", ()):  # noqa: S608
            yield path, Marks(*marks) if is_listed else None

    def _rows(self, query: str, values: tuple[object, ...]) -> Iterator[Any]:
        cursor = self._base.cursor()
        with self._lock:
            cursor.execute(query, values)
            rows = cursor.fetchmany(_BATCH)
        while rows:
            yield from rows
            with self._lock:
                rows = cursor.fetchmany(_BATCH)

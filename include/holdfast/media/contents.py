"""Which contents are in the store already, and where: kept compactly in memory, for a million files and more."""

from __future__ import annotations

import hashlib
import json
import re
import sqlite3
import threading
from collections.abc import Callable, Iterable, Iterator

from holdfast.media.entries import UNSETTLED, Content

# The quotes of a path are escaped in a line, so this cannot be found inside one.
_CONTENT = re.compile(
    rb'"sha256":"([0-9a-f]{64})","shard":"([^"\\]+)","offset":([0-9]+)(?:,"extents":(\[[0-9\[\],]*\]))?'
)
_SIZE = re.compile(rb'"size":([0-9]+),')
LARGE_BYTES = 4 << 20
"""Files beyond this size are streamed: they are hashed beforehand only where one of the same size is known."""
_ROWS = tuple[bytes, int, int, str | None]


class Contents:
    """Contents by SHA-256, and those of files that a dead sync had read, by all that their source said of them.

    ``is_lost(shard, sha256)`` tells contents that must not be used again: damaged, missing, or to be packed anew.
    For several threads.
    """

    def __init__(self, is_lost: Callable[[str, str], bool]) -> None:
        self._is_lost = is_lost
        self._lock = threading.Lock()
        self._shards: list[str] = []
        self._numbers: dict[str, int] = {}
        self._large_sizes: set[int] = set()
        self._has_seen = False
        self._base = sqlite3.connect(":memory:", check_same_thread=False, isolation_level=None)
        self._base.execute(
            "CREATE TABLE contents (sha256 BLOB PRIMARY KEY, shard INTEGER, offset INTEGER, extents TEXT) WITHOUT ROWID"
        )
        self._base.execute("CREATE TABLE seen (line BLOB PRIMARY KEY, sha256 BLOB) WITHOUT ROWID")

    def close(self) -> None:
        """Free the memory."""
        self._base.close()

    def add_listed(self, blocks: Iterable[list[bytes]]) -> None:
        """Learn every content that the lines of a listing name."""
        for lines in blocks:
            rows = list(self._rows(lines))
            with self._lock:
                self._base.executemany("INSERT OR IGNORE INTO contents VALUES (?, ?, ?, ?)", rows)

    def add_seen(self, lines: Iterable[bytes]) -> None:
        """Learn contents from the lines of files that were packed, and which state of which file each is."""
        for line in lines:
            found = _CONTENT.search(line)
            if found is None or line.endswith(UNSETTLED):
                continue
            rows = list(self._rows([line]))
            with self._lock:
                self._base.executemany("INSERT OR IGNORE INTO contents VALUES (?, ?, ?, ?)", rows)
                self._has_seen = True
                self._base.executemany(
                    "INSERT OR REPLACE INTO seen VALUES (?, ?)",
                    [(_digest(line[: found.start()]), row[0]) for row in rows],
                )

    def add(self, content: Content, size: int) -> Content:
        """Learn a content that is about to be packed; returns where it lies if somebody was faster."""
        with self._lock:
            if size > LARGE_BYTES:
                self._large_sizes.add(size)
            extents = None if content.extents is None else json.dumps(content.extents)
            row = (bytes.fromhex(content.sha256), self._number(content.shard), content.offset, extents)
            added = self._base.execute("INSERT OR IGNORE INTO contents VALUES (?, ?, ?, ?)", row).rowcount
            return content if added else self._found(row[0]) or content

    def may_hold(self, size: int) -> bool:
        """Whether some content of a large file has that size."""
        return size in self._large_sizes

    def find(self, sha256: str) -> Content | None:
        """Where that content lies; None where it is not in the store."""
        with self._lock:
            return self._found(bytes.fromhex(sha256))

    def find_seen(self, line: bytes) -> Content | None:
        """The content of a file whose source says of it just what it said when a dead sync read it."""
        if not self._has_seen:
            return None
        with self._lock:
            row = self._base.execute("SELECT sha256 FROM seen WHERE line = ?", (_digest(line),)).fetchone()
            return None if row is None else self._found(row[0])

    def _found(self, sha256: bytes) -> Content | None:
        query = "SELECT shard, offset, extents FROM contents WHERE sha256 = ?"
        row = self._base.execute(query, (sha256,)).fetchone()
        if row is None:
            return None
        extents = None if row[2] is None else tuple((offset, length) for offset, length in json.loads(row[2]))
        return Content(sha256.hex(), self._shards[row[0]], row[1], extents)

    def _rows(self, lines: Iterable[bytes]) -> Iterator[_ROWS]:
        for line in lines:
            found = _CONTENT.search(line)
            if found is not None:
                size = _SIZE.search(line)
                if size is not None and len(size[1]) > 6 and int(size[1]) > LARGE_BYTES:
                    self._large_sizes.add(int(size[1]))
                sha256, shard = found[1].decode(), found[2].decode()
                if not self._is_lost(shard, sha256):
                    extents = None if found[4] is None else found[4].decode()
                    yield bytes.fromhex(sha256), self._number(shard), int(found[3]), extents

    def _number(self, shard: str) -> int:
        number = self._numbers.get(shard)
        if number is None:
            number = self._numbers[shard] = len(self._shards)
            self._shards.append(shard)
        return number


def _digest(line: bytes) -> bytes:
    return hashlib.blake2b(line, digest_size=16).digest()

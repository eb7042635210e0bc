"""Every content that shards are to hold according to all snapshots: each once, kept compactly in memory."""

from __future__ import annotations

import json
import re
import sqlite3
import threading
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from holdfast.media.sparse import Extents

# Fields stand in a fixed order (media/entries.py), and quotes in a path are escaped: no line needs to be parsed.
_FILE = re.compile(
    rb'"type":"file","size":([0-9]+),.*?"sha256":"([0-9a-f]{64})","shard":"([^"\\]+)","offset":([0-9]+)'
    rb'(?:,"extents":(\[[0-9\[\],]*\]))?'
)
_BATCH = 500
_MANY = 5000


class StoredContent(NamedTuple):
    """One content: its place in the shard, its SHA-256, the size of the file and its stored parts if it has holes."""

    offset: int
    sha256: str
    size: int
    extents: Extents | None

    @property
    def stored_bytes(self) -> int:
        """Its bytes in the shard."""
        return self.size if self.extents is None else sum(length for _, length in self.extents)


def content_of(line: bytes) -> tuple[str, StoredContent] | None:
    """(shard, content) of a listing's line; None where it is no file."""
    found = _FILE.search(line)
    if found is None:
        return None
    extents = None if found[5] is None else _extents(found[5].decode())
    return found[3].decode(), StoredContent(int(found[4]), found[2].decode(), int(found[1]), extents)


class Contents:
    """The contents of chosen shards. Filled by one thread, read by several."""

    def __init__(self, shards: Iterable[str]) -> None:
        self._numbers = {shard.encode(): number for number, shard in enumerate(shards)}
        self._lock = threading.Lock()
        self._base = sqlite3.connect(":memory:", check_same_thread=False, isolation_level=None)
        self._base.execute(
            "CREATE TABLE contents (shard INTEGER, offset INTEGER, sha256 BLOB, size INTEGER, extents TEXT, "
            "PRIMARY KEY (shard, offset, sha256)) WITHOUT ROWID"
        )

    def close(self) -> None:
        """Free the memory."""
        self._base.close()

    def add(self, lines: Iterable[bytes]) -> None:
        """Learn the contents that lie in the chosen shards."""
        rows: list[tuple[int, int, bytes, int, str | None]] = []
        for line in lines:
            found = _FILE.search(line)
            number = self._numbers.get(found[3]) if found is not None else None
            if found is not None and number is not None:
                extents = None if found[5] is None else found[5].decode()
                rows.append((number, int(found[4]), bytes.fromhex(found[2].decode()), int(found[1]), extents))
                if len(rows) == _MANY:
                    self._insert(rows)
                    rows = []
        self._insert(rows)

    def of(self, shard: str) -> Iterator[StoredContent]:
        """What a shard is to hold, in the order of the offsets."""
        query = "SELECT offset, sha256, size, extents FROM contents WHERE shard = ? ORDER BY offset"
        cursor = self._base.cursor()
        with self._lock:
            rows = cursor.execute(query, (self._numbers[shard.encode()],)).fetchmany(_BATCH)
        while rows:
            for offset, sha256, size, extents in rows:
                yield StoredContent(offset, sha256.hex(), size, None if extents is None else _extents(extents))
            with self._lock:
                rows = cursor.fetchmany(_BATCH)

    def _insert(self, rows: list[tuple[int, int, bytes, int, str | None]]) -> None:
        self._base.executemany("INSERT OR IGNORE INTO contents VALUES (?, ?, ?, ?, ?)", rows)


def _extents(text: str) -> Extents:
    return tuple((int(offset), int(length)) for offset, length in json.loads(text))

"""What the live directory has that a snapshot lacks, and the room that the snapshot needs beside it."""

from __future__ import annotations

from collections.abc import Iterator

from holdfast.media.entries import Entry
from holdfast.media.source import Found

_MOST_PATHS = 2_000_000


class Comparison:
    """Counts of files, as one goes through both. ``is_capped``: the live directory has more than was looked at.

    ``closed``: folders that could not be read; ``needed_bytes`` in whole blocks of the file system.
    """

    def __init__(self, block_bytes: int) -> None:
        self._block_bytes = block_bytes
        self._twins: set[tuple[int, int]] = set()
        self.needed_bytes = self.needed_files = 0
        self.only_live = self.only_live_bytes = self.only_stored = self.resized = self.closed = self.paths = 0
        self.is_capped = False

    def compare(self, live: Iterator[Found], stored: Iterator[Entry]) -> None:
        """Both in bytewise order of their paths."""
        here = next(live, None)
        for entry in stored:
            self._need(entry)
            while here is not None and here.path < entry.path:
                self._look(here, None)
                here = self._next(live)
            if here is not None and here.path == entry.path:
                self._look(here, entry)
                here = self._next(live)
            elif entry.kind == "file" and not self.is_capped:
                self.only_stored += 1
        while here is not None:
            self._look(here, None)
            here = self._next(live)

    def _next(self, live: Iterator[Found]) -> Found | None:
        self.paths += 1
        self.is_capped = self.is_capped or self.paths >= _MOST_PATHS
        return None if self.is_capped else next(live, None)

    def _look(self, here: Found, entry: Entry | None) -> None:
        self.closed += bool(here.fault)
        if here.kind == "file" and (entry is None or entry.kind != "file"):
            self.only_live += 1
            self.only_live_bytes += here.size
        elif here.kind == "file" and entry is not None and entry.size != here.size:
            self.resized += 1

    def _need(self, entry: Entry) -> None:
        if entry.kind != "file" or entry.content is None:
            return
        if entry.file_id is not None:
            if entry.file_id in self._twins:
                return
            self._twins.add(entry.file_id)
        self.needed_files += 1
        self.needed_bytes += -(-entry.content.stored_bytes(entry.size) // self._block_bytes) * self._block_bytes

"""Which instants positions in the WAL stand for: read from the records nearest to them, as few as it takes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime

from holdfast.catalog.wal import WalCatalog, WalPiece
from holdfast.crypto.signing import Verifier
from holdfast.errors import HoldfastError, ObjectMissing, PermanentError, StoreRefused
from holdfast.manifest.wal import WalRecord
from holdfast.values.lsn import Lsn
from holdfast.wal.timelines import TimelineHistory

# Under heavy load many segments fill between two marks.
_MOST_RECORDS = 128
Pieces = dict[tuple[int, int], list[WalPiece]]


class Marks:
    """The marks of one cluster's WAL.

    ``pieces`` holds what is stored under each (timeline, segment number), what reaches farthest last. Records that
    cannot be trusted are told of in ``faults``.
    """

    def __init__(self, catalog: WalCatalog, verifier: Verifier, pieces: Pieces, segment_bytes: int) -> None:
        self._catalog, self._verifier = catalog, verifier
        self._pieces, self._size = pieces, segment_bytes
        self._records: dict[str, WalRecord | None] = {}
        self.faults: list[str] = []

    def record(self, piece: WalPiece) -> WalRecord | None:
        """The record of a piece; None where it is gone or cannot be trusted, which is then told of."""
        key = self._catalog.record_key(piece)
        if key not in self._records:
            self._records[key] = self._read(piece)
        return self._records[key]

    def newest(self, path: TimelineHistory, lsn: Lsn, floor: Lsn) -> datetime | None:
        """The newest instant whose every commit lies before ``lsn`` on that path; looks back to ``floor`` at most."""
        if lsn.value == 0:
            return None
        numbers = range((lsn.value - 1) // self._size, floor.value // self._size - 1, -1)
        for marks in self._marked(path, numbers):
            at = [moment for moment, position in marks if position <= lsn]
            if at:
                return max(at)
        return None

    def oldest(self, path: TimelineHistory, lsn: Lsn) -> datetime | None:
        """The oldest instant that is known to lie behind ``lsn`` on that path."""
        first = lsn.value // self._size
        for marks in self._marked(path, range(first, first + _MOST_RECORDS)):
            at = [moment for moment, position in marks if position > lsn]
            if at:
                return min(at)
        return None

    def _marked(self, path: TimelineHistory, numbers: Sequence[int]) -> Iterator[list[tuple[datetime, Lsn]]]:
        """(instant, position) of the marks in each of the segments, as far as they lie on the path."""
        for number in numbers[:_MOST_RECORDS]:
            found: list[tuple[datetime, Lsn]] = []
            for segment in path.candidates(number, self._size):
                left = path.left_at(segment.timeline)
                stored = self._pieces.get((segment.timeline, number))
                record = self.record(stored[-1]) if stored else None
                for mark in record.marks if record is not None else ():
                    position = Lsn.parse(mark.lsn)
                    if left is None or position <= left:
                        found.append((mark.at, position))
            yield found

    def _read(self, piece: WalPiece) -> WalRecord | None:
        try:
            return self._catalog.record(piece, self._verifier)
        except (StoreRefused, ObjectMissing) as error:
            if isinstance(error, StoreRefused):
                raise
            return None
        except PermanentError as error:
            self.faults.append(said(error))
            return None


def said(error: HoldfastError) -> str:
    """A fault in one line."""
    return " ".join(error.message.split("\n"))

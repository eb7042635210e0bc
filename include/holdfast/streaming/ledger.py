"""What of one cluster's WAL is in the store, kept up to date while more is shipped; used by several threads."""

from __future__ import annotations

import threading

from holdfast.catalog import WalCatalog, WalPiece
from holdfast.crypto.signing import Verifier
from holdfast.errors import PermanentError
from holdfast.values.lsn import Lsn
from holdfast.values.wal_names import WalSegment
from holdfast.wal.timelines import TimelineHistory


class Ledger:
    """Whole segments by name, partial pieces by segment and end, histories by timeline: all of them stored whole.

    What stands there under a record that nobody of us has signed counts as not stored; ``foreign`` says why, by key.
    """

    def __init__(self, catalog: WalCatalog, system_identifier: str, verifier: Verifier) -> None:
        self.system_identifier = system_identifier
        self.foreign: dict[str, str] = {}
        self._catalog, self._verifier = catalog, verifier
        self._lock = threading.Lock()
        self._segments: set[str] = set()
        self._partials: dict[str, dict[int, WalPiece]] = {}
        self._hashes: dict[tuple[str, int], str] = {}
        self._histories: set[int] = set()
        self._remnants: list[WalPiece] = []
        for piece in catalog.pieces(system_identifier):
            if piece.is_stored:
                if piece.kind == "segment" or self._is_ours(piece):
                    self._note(piece)
            elif piece.kind == "partial":
                self._remnants.append(piece)

    @property
    def is_empty(self) -> bool:
        """Is nothing of this cluster stored?"""
        return not (self._segments or self._partials or self._histories)

    @property
    def newest_timeline(self) -> int:
        """The newest timeline of which something is stored; 0 where nothing is."""
        with self._lock:
            names = (*self._segments, *self._partials)
            return max((int(name[:8], 16) for name in names), default=0)

    def examine_from(self, begin: Lsn, size_bytes: int) -> None:
        """Trust no whole segment from ``begin`` on unseen: the source is told to remove what counts as stored."""
        for name in sorted(self.segments()):
            is_later = WalSegment.parse(name, size_bytes).end > begin
            if is_later and not self._is_ours(WalPiece.segment(self.system_identifier, name)):
                with self._lock:
                    self._segments.discard(name)

    def stored(self, piece: WalPiece, sha256: str) -> None:
        """Note that a piece stands in the store from now on."""
        with self._lock:
            self._note(piece)
            if piece.end is not None:
                self._hashes[piece.file, piece.end] = sha256

    def segments(self) -> frozenset[str]:
        """The names of the whole segments."""
        with self._lock:
            return frozenset(self._segments)

    def has(self, name: str) -> bool:
        """Is the segment of that name stored whole?"""
        with self._lock:
            return name in self._segments

    def has_history(self, timeline: int) -> bool:
        """Is the timeline's history stored?"""
        with self._lock:
            return timeline in self._histories

    def longest(self, name: str) -> WalPiece | None:
        """The longest beginning of the segment of that name that is stored."""
        with self._lock:
            partials = self._partials.get(name)
            return partials[max(partials)] if partials else None

    def beginnings(self) -> list[WalPiece]:
        """The longest beginning of each segment that is not stored whole."""
        with self._lock:
            return [partials[max(partials)] for partials in self._partials.values() if partials]

    def hash_of(self, piece: WalPiece) -> str | None:
        """The SHA-256 of a partial piece, where this process has shipped it."""
        with self._lock:
            return self._hashes.get((piece.file, piece.end or 0))

    def superseded(self, name: str | None = None) -> list[WalPiece]:
        """Partial pieces of one segment, or of all, of which the store has more; they are forgotten here.

        Among all are halves of pieces that killed processes left, which no other than that very piece would complete.
        """
        with self._lock:
            halves, self._remnants = ([], self._remnants) if name is not None else (self._remnants, [])
            names = [name] if name is not None else list(self._partials)
            return halves + [piece for each in names for piece in self._surplus(each)]

    def next_number(self, history: TimelineHistory, number: int, size_bytes: int) -> int:
        """The first segment from ``number`` on that is not stored, along the way of ``history``."""
        with self._lock:
            while history.segment(number, size_bytes).name in self._segments:
                number += 1
        return number

    def end(self, segment: WalSegment) -> Lsn:
        """Up to where everything is stored, when that is so up to the segment's start."""
        piece = self.longest(segment.name)
        return segment.start if piece is None else segment.start + (piece.end or 0)

    def _is_ours(self, piece: WalPiece) -> bool:
        try:
            self._catalog.record(piece, self._verifier)
        except PermanentError as error:
            self.foreign[self._catalog.key(piece)] = error.message
            return False
        return True

    def _note(self, piece: WalPiece) -> None:
        if piece.kind == "segment":
            self._segments.add(piece.name)
        elif piece.kind == "history":
            self._histories.add(piece.timeline)
        else:
            self._partials.setdefault(piece.file, {})[piece.end or 0] = piece

    def _surplus(self, name: str) -> list[WalPiece]:
        partials = self._partials.get(name, {})
        kept = None if name in self._segments else max(partials, default=None)
        surplus = [end for end in partials if end != kept]
        found = [partials.pop(end) for end in surplus]
        if not partials:
            self._partials.pop(name, None)
        return found

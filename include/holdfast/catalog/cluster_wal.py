"""The stored WAL of one cluster as coverage wants it: how much of each segment, and how timelines came to be."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field

from holdfast.catalog.marks import Marks, Pieces, said
from holdfast.catalog.wal import WalCatalog, WalPiece
from holdfast.crypto.signing import Verifier
from holdfast.errors import PermanentError
from holdfast.manifest.wal import WalRecord
from holdfast.wal.coverage import StoredWal
from holdfast.wal.timelines import TimelineHistory

# Reads a history file that was stored; None where that is not possible here.
ReadHistory = Callable[[WalPiece, WalRecord], str | None]


@dataclass(slots=True)
class ClusterWal:
    """What is stored of one cluster's WAL; pieces that turn out not to be trusted are taken out as they are met."""

    system_identifier: str
    segment_bytes: int
    pieces: Pieces
    histories: dict[int, TimelineHistory]
    marks: Marks
    faults: list[str] = field(default_factory=list)

    def stored(self) -> StoredWal:
        """How much of each segment is there."""
        size = self.segment_bytes
        known = {at: size if (end := pieces[-1].end) is None else min(end, size) for at, pieces in self.pieces.items()}
        return StoredWal(size, known, self.histories)

    def without_distrusted(self, path: TimelineHistory, number: int) -> bool:
        """Take out what cannot be trusted of that segment on that path; True where there was such."""
        has_taken = False
        for segment in path.candidates(number, self.segment_bytes):
            pieces = self.pieces.get((segment.timeline, number), [])
            while pieces and self.marks.record(pieces[-1]) is None:
                pieces.pop()
                has_taken = True
            if not pieces:
                self.pieces.pop((segment.timeline, number), None)
        return has_taken


def read_cluster(
    catalog: WalCatalog,
    verifier: Verifier,
    system_identifier: str,
    pieces: Sequence[WalPiece],
    *,
    segment_bytes: int | None,
    damaged: Collection[str] = (),
    read_history: ReadHistory = lambda piece, record: None,
) -> ClusterWal | None:
    """One cluster's WAL from a listing; None where not even the size of its segments is known.

    ``segment_bytes``: as a base backup tells, else any record is asked. ``damaged`` names objects that a check has
    found to be so.
    """
    faults: list[str] = []
    whole = [piece for piece in pieces if piece.is_stored]
    if damaged:
        bad = [piece for piece in whole if catalog.key(piece) in damaged]
        faults += [f"{catalog.key(piece)}: `holdfast wal check` has found it damaged" for piece in bad]
        whole = [piece for piece in whole if piece not in bad]
    reading = Marks(catalog, verifier, {}, 1)
    size = segment_bytes or _size(reading, whole)
    if size is None:
        return None
    sorted_pieces, strangers = _by_number(whole, size)
    marks = Marks(catalog, verifier, sorted_pieces, size)
    faults += [f"{catalog.key(piece)}: no segment of {size} bytes has this name" for piece in strangers]
    histories = {}
    for piece in whole:
        if piece.kind == "history":
            history = _history(piece, marks, read_history, faults)
            if history is not None:
                histories[piece.timeline] = history
    return ClusterWal(system_identifier, size, sorted_pieces, histories, marks, faults)


def _size(marks: Marks, pieces: Sequence[WalPiece]) -> int | None:
    """The size of segments as the first trusted record of some has it."""
    for piece in [piece for piece in pieces if piece.kind != "history"][:8]:
        record = marks.record(piece)
        if record is not None:
            return record.segment_bytes
    return None


def _by_number(pieces: Sequence[WalPiece], size: int) -> tuple[Pieces, list[WalPiece]]:
    """(pieces by timeline and segment number, what reaches farthest last; those whose name does not fit the size)."""
    found: Pieces = {}
    strangers: list[WalPiece] = []
    per_xlog = (1 << 32) // size
    for piece in pieces:
        if piece.kind == "history":
            continue
        low = int(piece.name[16:24], 16)
        if low >= per_xlog or piece.timeline == 0:
            strangers.append(piece)
            continue
        found.setdefault((piece.timeline, int(piece.name[8:16], 16) * per_xlog + low), []).append(piece)
    for several in found.values():
        if len(several) > 1:
            several.sort(key=lambda piece: size if piece.end is None else piece.end - 0.5)
    return found, strangers


def _history(piece: WalPiece, marks: Marks, read_history: ReadHistory, faults: list[str]) -> TimelineHistory | None:
    record = marks.record(piece)
    if record is None:
        return None
    try:
        if record.switches:
            return TimelineHistory.recalled(piece.timeline, record.switches)
        text = read_history(piece, record)
        if text is not None:
            return TimelineHistory.parse(piece.timeline, text)
    except PermanentError as error:
        faults.append(said(error))
        return None
    faults.append(
        f"{piece.name}: where timeline {piece.timeline} began is not in its record, and no identity is at hand"
    )
    return None

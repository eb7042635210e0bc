"""Which stored piece of WAL serves what the recovering server asks for, and what it may be told is not there."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Literal

from holdfast.catalog.wal import WalPiece
from holdfast.crypto.signing import Verifier
from holdfast.environment import Environment
from holdfast.errors import IntegrityError, PermanentError
from holdfast.pitr.fetching import piece_text
from holdfast.pitr.planning import RecoveryPlan
from holdfast.pitr.target import Target
from holdfast.values.lsn import Lsn
from holdfast.values.wal_names import LARGEST_BYTES, WalSegment, is_segment_name
from holdfast.wal.timelines import TimelineHistory

Answer = WalPiece | Literal["missing"]


@dataclass(frozen=True, slots=True)
class WalPlan:
    """The WAL of one cluster along one timeline, from segment number ``first`` to ``last``.

    ``pieces`` are those that are stored by the name that the server knows them by: of an open segment the longest.
    """

    system_identifier: str
    history: TimelineHistory
    segment_bytes: int
    first: int
    last: int
    pieces: dict[str, WalPiece] = field(repr=False)

    def in_order(self, begin: int | None = None) -> Iterator[WalPiece]:
        """What the server will ask for, one piece for each segment number, from ``begin`` on or all."""
        for number in range(self.first if begin is None else begin, self.last + 1):
            found = self._best(number)
            if found is None:
                return
            yield found

    def expected_bytes(self, target: Target) -> int | None:
        """Of the segments that the server will take, where the target tells."""
        if target.kind not in ("lsn", "latest"):
            return None
        end = self.last if target.lsn is None else target.lsn.value // self.segment_bytes
        return (end + 1 - self.first) * self.segment_bytes

    def answer(self, name: str) -> Answer:
        """The piece to be handed over under that name. Raises IntegrityError where it should be there and is not.

        A server takes what is missing for the end of all WAL: it may be told so only where that is true.
        """
        piece = self.pieces.get(name)
        if piece is not None and piece.kind != "partial":
            return piece
        if not is_segment_name(name):
            return "missing"
        segment = WalSegment.parse(name, self.segment_bytes)
        if piece is not None and segment.number <= self.last:
            return piece
        best = self._best(segment.number)
        if not self.first <= segment.number <= self.last or (best is not None and best.file != name):
            return "missing"
        raise IntegrityError(
            f"WAL {self.system_identifier}/{name}: it is missing in the store, though the target lies behind it",
            hint="`holdfast pitr window` shows what can be recovered to.",
        )

    def _best(self, number: int) -> WalPiece | None:
        """As the server looks for it: under the youngest timeline that the segment is of."""
        candidates = self.history.candidates(number, self.segment_bytes)
        return next((self.pieces[one.name] for one in candidates if one.name in self.pieces), None)


def plan_wal(environment: Environment, plan: RecoveryPlan) -> WalPlan:
    """By one listing, and the history of the plan's timeline where it is not the first. Raises as the store does."""
    system, size = plan.window.system_identifier, plan.base.segment_bytes
    pieces = _stored(environment, system, size)
    history = TimelineHistory(plan.timeline)
    if plan.timeline > 1:
        history = TimelineHistory.parse(plan.timeline, _history_text(environment, system, plan.timeline))
    first = Lsn.parse(plan.base.start_lsn).value // size
    last = max(first, (plan.window.end_lsn.value - 1) // size)
    return WalPlan(system, history, size, first, last, pieces)


def grown(environment: Environment, piece: WalPiece) -> WalPiece | None:
    """What has taken a partial piece's place: more of the segment is stored by now, and the piece removed."""
    found = _stored(environment, piece.system_identifier, LARGEST_BYTES).get(piece.file)
    return found if found is not None and found.name != piece.name else None


def _stored(environment: Environment, system: str, segment_bytes: int) -> dict[str, WalPiece]:
    stored = [piece for piece in environment.wal_catalog.pieces(system) if piece.is_stored]
    # The longest of each segment comes first, and one that claims to be longer than it is recorded to be is none.
    stored.sort(key=lambda piece: piece.end or segment_bytes, reverse=True)
    verifier = environment.verifier()
    pieces: dict[str, WalPiece] = {}
    for piece in stored:
        if piece.file not in pieces and (piece.kind != "partial" or _is_recorded(environment, piece, verifier)):
            pieces[piece.file] = piece
    return pieces


def _is_recorded(environment: Environment, piece: WalPiece, verifier: Verifier) -> bool:
    try:
        environment.wal_catalog.record(piece, verifier)
    except PermanentError:
        return False
    return True


def _history_text(environment: Environment, system: str, timeline: int) -> str:
    return piece_text(environment, WalPiece.history(system, timeline))

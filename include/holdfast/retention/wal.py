"""The retention rules of WAL: which pieces of one cluster's WAL go, so that what stays is contiguous."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby, takewhile

from holdfast.retention.base_backups import BaseBackup
from holdfast.values.duration import Duration


@dataclass(frozen=True, slots=True)
class Piece:
    """What retention must know of a piece of WAL: ``segment`` is the segment's name, None of a history file.

    ``end``: how many bytes the beginning of an open segment holds, None of anything whole. ``written_at``: when the
    store received it, or its record where that is all there is.
    """

    timeline: int
    segment: str | None
    end: int | None
    written_at: datetime
    has_object: bool = True
    has_record: bool = True

    @property
    def is_stored(self) -> bool:
        """Does it stand whole, with its record?"""
        return self.has_object and self.has_record

    @property
    def place(self) -> tuple[int, str]:
        """Its order in the WAL; a history file comes after the segments of its timeline, as it goes after them."""
        return self.timeline, self.segment or "~"


@dataclass(frozen=True, slots=True)
class Needs:
    """From which segment on each timeline is needed: ``starts`` are those that the kept base backups begin in.

    A base backup needs no WAL of timelines before its own. Of later ones, which may have come of it, it is taken to
    need all behind its start: what came of what stands in history files, which only identities open.
    """

    starts: tuple[tuple[int, str], ...] = ()

    @classmethod
    def of(cls, kept: Iterable[BaseBackup]) -> Needs:
        """What the kept base backups of one cluster need."""
        starts = {(found.timeline, found.name) for found in (backup.start for backup in kept) if found is not None}
        return cls(tuple(sorted(starts)))

    def include(self, timeline: int, segment: str) -> bool:
        """Is that segment, or a beginning of it, needed?"""
        floor = min((name[8:] for own, name in self.starts if own <= timeline), default=None)
        return floor is not None and segment[8:] >= floor

    def include_history(self, timeline: int) -> bool:
        """Does recovery from a kept base backup look for it? The server tries one after another from its own on."""
        return any(own <= timeline for own, _ in self.starts)

    def include_piece(self, piece: Piece) -> bool:
        """The one or the other."""
        if piece.segment is None:
            return self.include_history(piece.timeline)
        return self.include(piece.timeline, piece.segment)


@dataclass(frozen=True, slots=True)
class WalRules:
    """``keep``: the span of the wal tier, None for ever; ``grace``: how long remnants are left alone."""

    keep: Duration | None
    grace: Duration
    now: datetime


@dataclass(frozen=True, slots=True)
class Leaving[P: Piece]:
    """What goes of one cluster's WAL: ``expired``, oldest first; beginnings of which more is stored; and remnants.

    ``unrecorded``: objects that lack their records and are needed. They stay: there may be no other copy.
    """

    expired: tuple[P, ...] = ()
    superseded: tuple[P, ...] = ()
    remnants: tuple[P, ...] = ()
    unrecorded: tuple[P, ...] = ()


def obstacle(system: str, kept: Collection[BaseBackup], in_use: Collection[str]) -> str | None:
    """Why nothing of a cluster's WAL may go; ``kept`` are all base backups that stay, those of other clusters too."""
    doubtful = [backup.id for backup in kept if not backup.is_trusted]
    if doubtful:
        return f"base backup {doubtful[0]} cannot be trusted, so what it needs is not known"
    if system in in_use and not any(each.is_recoverable for each in kept if each.system_identifier == system):
        return "no base backup of this cluster can be recovered"
    return None


def decide_wal[P: Piece](
    pieces: Iterable[P], needs: Needs, rules: WalRules, received_at: Callable[[P], datetime | None]
) -> Leaving[P]:
    """What may go of the pieces of one cluster, of which nothing stands in the way.

    ``received_at`` tells what is recorded of a piece, None where that cannot be known. It is asked of few: WAL comes
    in order, so that there is only older WAL before an old piece.
    """
    found = sorted(pieces, key=lambda piece: (*piece.place, piece.end is None, piece.end or 0))
    expired = [] if rules.keep is None else list(_expired(found, needs, rules.keep.before(rules.now), received_at))
    gone = set(expired)
    left = [piece for piece in found if piece not in gone]
    superseded = _superseded(left, received_at)
    remnants = _remnants(left, needs, rules)
    unrecorded = [piece for piece in left if not piece.has_record and piece not in remnants]
    return Leaving(tuple(expired), tuple(superseded), tuple(remnants), tuple(unrecorded))


def _expired[P: Piece](
    pieces: Sequence[P], needs: Needs, horizon: datetime, received_at: Callable[[P], datetime | None]
) -> Iterator[P]:
    def is_old(piece: P) -> bool:
        return piece.written_at < horizon and not needs.include_piece(piece)

    for _, of_timeline in groupby(pieces, key=lambda piece: piece.timeline):
        own = list(of_timeline)
        old = list(takewhile(is_old, own))
        # A store's clock may have been behind. Asking costs a request: of thousands a dozen are asked.
        asked = [number for number, piece in enumerate(old) if piece.has_record]
        young = bisect_left(asked, True, key=lambda number: _is_young(received_at(old[number]), horizon))
        yield from old if young == len(asked) else old[: asked[young]]


def _is_young(moment: datetime | None, horizon: datetime) -> bool:
    return moment is not None and moment >= horizon


def _superseded[P: Piece](pieces: Sequence[P], received_at: Callable[[P], datetime | None]) -> list[P]:
    """Beginnings of segments of which more is stored, as far as its record can be trusted."""
    by_segment: dict[tuple[int, str], list[P]] = {}
    for piece in pieces:
        if piece.is_stored and piece.segment is not None:
            by_segment.setdefault(piece.place, []).append(piece)
    found = []
    for several in by_segment.values():
        longest = max(several, key=_length)
        if len(several) > 1 and received_at(longest) is not None:
            found += [piece for piece in several if piece is not longest]
    return found


def _length(piece: Piece) -> float:
    return float("inf") if piece.end is None else piece.end


def _remnants[P: Piece](pieces: Sequence[P], needs: Needs, rules: WalRules) -> list[P]:
    """Records without objects, and the other way round, that nobody will complete any more.

    A record must not go before its object comes: then that would count for nothing. A clock that jumped ahead would
    make all look old, so later WAL must be stored as well, that much later by the store's own clock.
    """
    last = max((piece.place for piece in pieces if piece.is_stored and piece.segment), default=(0, ""))
    come = last_received(pieces)
    horizon = rules.grace.before(rules.now if come is None else min(rules.now, come))
    return [
        piece
        for piece in pieces
        if not piece.is_stored
        and piece.place < last
        and piece.written_at < horizon
        and (piece.has_record or not needs.include_piece(piece))
    ]


def last_received(pieces: Iterable[Piece]) -> datetime | None:
    """When the store received the newest of those that are whole; None where there is none."""
    return max((piece.written_at for piece in pieces if piece.is_stored), default=None)

"""How far each base backup can be taken by the WAL that is stored, along every timeline, and what is missing. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from holdfast.values.lsn import Lsn
from holdfast.values.wal_names import WalSegment
from holdfast.wal.timelines import TimelineHistory


@dataclass(frozen=True, slots=True)
class StoredWal:
    """What is stored of one cluster's WAL.

    ``known_bytes`` says of a (timeline, segment number) how many bytes from its beginning are stored: all
    ``segment_bytes`` of a whole one. A timeline without its history is taken as if it had come of no other.
    """

    segment_bytes: int
    known_bytes: Mapping[tuple[int, int], int]
    histories: Mapping[int, TimelineHistory]

    def history(self, timeline: int) -> TimelineHistory:
        """How that timeline came to be, as far as is known."""
        return self.histories.get(timeline) or TimelineHistory(timeline)


@dataclass(frozen=True, slots=True)
class BaseSpan:
    """A base backup: good from ``stop_lsn`` on, if all from ``start_lsn`` on is there."""

    id: str
    timeline: int
    start_lsn: Lsn
    stop_lsn: Lsn


@dataclass(frozen=True, slots=True)
class Reach:
    """How far base backup ``base`` can be taken towards ``timeline``: up to ``end_lsn``, which is not before its stop.

    ``path`` is that timeline's history.
    """

    base: str
    timeline: int
    end_lsn: Lsn
    path: TimelineHistory


@dataclass(frozen=True, slots=True)
class Hole:
    """Missing WAL: segments ``first`` to ``last`` of one timeline, from ``start_lsn`` up to ``end_lsn``."""

    first: WalSegment
    last: WalSegment
    start_lsn: Lsn
    end_lsn: Lsn


@dataclass(frozen=True, slots=True)
class Measured:
    """What can be reached and what is missing; ``unreachable``: timelines with WAL that no base backup leads to."""

    reaches: tuple[Reach, ...]
    holes: tuple[Hole, ...]
    unreachable: tuple[int, ...]


def measure(wal: StoredWal, bases: Sequence[BaseSpan]) -> Measured:
    """Follow every base backup along every timeline that comes of its own.

    A reach that lies wholly within another of the same base is left out: after a failover one remains, two where both
    timelines went on.
    """
    by_timeline: dict[int, list[tuple[int, int]]] = {}
    for (timeline, number), known in wal.known_bytes.items():
        by_timeline.setdefault(timeline, []).append((number, known))
    timelines = sorted(by_timeline.keys() | {base.timeline for base in bases})
    paths = [_Path(wal.history(timeline), wal.segment_bytes, by_timeline) for timeline in timelines]
    reaches: list[Reach] = []
    for base in bases:
        found = [Reach(base.id, path.timeline, end, path.history) for path in paths if (end := path.reach(base))]
        reaches += [one for one in found if not any(_lies_within(one, other) for other in found if other is not one)]
    led = {path.timeline: [base for base in bases if path.leads(base)] for path in paths}
    holes = [hole for path in paths if led[path.timeline] for hole in path.holes(led[path.timeline])]
    return Measured(
        tuple(reaches),
        tuple(_united(holes)),
        tuple(path.timeline for path in paths if not led[path.timeline]),
    )


class _Path:
    """The WAL along one timeline and its ancestors, by segment numbers."""

    def __init__(
        self, history: TimelineHistory, segment_bytes: int, stored: Mapping[int, Sequence[tuple[int, int]]]
    ) -> None:
        self.history, self.timeline, self._size = history, history.timeline, segment_bytes
        known: dict[int, int] = {}
        for timeline, begins, left in history.spans():
            first = begins.value // segment_bytes
            for number, count in stored.get(timeline, ()):
                # A copy of a segment serves up to where its timeline was left: what follows there is another story.
                serves = count if left is None else min(count, left.value - number * segment_bytes)
                if number >= first and serves > known.get(number, 0):
                    known[number] = serves
        self._known, self._numbers = known, sorted(known)
        self._ends: dict[int, int] = {}
        for number in reversed(self._numbers):
            is_whole = known[number] >= segment_bytes and number + 1 in known
            self._ends[number] = self._ends[number + 1] if is_whole else number * segment_bytes + known[number]

    def leads(self, base: BaseSpan) -> bool:
        """Does the base backup lie on this path?"""
        return self.history.includes(base.timeline, base.stop_lsn)

    def reach(self, base: BaseSpan) -> Lsn | None:
        """The position up to which all is there from the base backup's start on; None where it is not even complete."""
        end = self._ends.get(base.start_lsn.value // self._size, -1)
        return Lsn(end) if self.leads(base) and end >= base.stop_lsn.value else None

    def holes(self, bases: Sequence[BaseSpan]) -> Iterator[Hole]:
        """What is missing from the first segment that a base backup needs to the newest that is stored or needed."""
        first = min(base.start_lsn.value for base in bases) // self._size
        needed = max(base.stop_lsn.value for base in bases)
        expected = first
        for number in self._numbers:
            if number < first:
                continue
            yield from self._missing(expected, number)
            expected = number if self._known[number] < self._size else number + 1
        # A backup that stops at a segment's first byte needs nothing of that segment.
        last = -(-needed // self._size)
        is_behind = expected * self._size + self._known.get(expected, 0) < needed
        yield from self._missing(expected, last if is_behind else expected)

    def _missing(self, first: int, behind: int) -> Iterator[Hole]:
        """Holes from number ``first`` on, of which a beginning may be there, up to ``behind``; one a timeline."""
        start = first
        while start < behind:
            segment = self.history.segment(start, self._size)
            left = self.history.left_at(segment.timeline)
            end = behind if left is None else min(behind, left.value // self._size)
            last = WalSegment(segment.timeline, end - 1, self._size)
            yield Hole(segment, last, segment.start + self._known.get(start, 0), last.end)
            start = end


def _lies_within(one: Reach, other: Reach) -> bool:
    """Is every position of ``one`` on the way of ``other``? Of two that are the same, the elder timeline's stays."""
    shared = _shared(one.path, other.path)
    if one.end_lsn > other.end_lsn or (shared is not None and one.end_lsn > shared):
        return False
    is_same = one.end_lsn == other.end_lsn
    return not is_same or one.timeline > other.timeline


def _shared(one: TimelineHistory, other: TimelineHistory) -> Lsn | None:
    """Up to where two timelines are the same; None where they are one."""
    for (mine, _, my_left), (its, _, its_left) in zip(one.spans(), other.spans(), strict=False):
        if mine != its:
            return Lsn(0)
        if my_left != its_left:
            return min(left for left in (my_left, its_left) if left is not None)
    return None


def _united(holes: Sequence[Hole]) -> Iterator[Hole]:
    """Each hole once, however many paths it lies on."""
    current: Hole | None = None
    for hole in sorted(holes, key=lambda hole: (hole.first, hole.start_lsn, hole.end_lsn)):
        if current is None or hole.first.timeline != current.first.timeline or hole.start_lsn > current.end_lsn:
            if current is not None:
                yield current
            current = hole
        elif hole.end_lsn > current.end_lsn:
            current = Hole(current.first, hole.last, current.start_lsn, hole.end_lsn)
    if current is not None:
        yield current

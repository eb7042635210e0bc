"""Timelines: how one came of others, and which of them names the segment that holds a position.

Source: PostgreSQL, access/transam/timeline.c and xlogrecovery.c (XLogFileReadAnyTLI).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from holdfast.errors import IntegrityError
from holdfast.values.lsn import Lsn
from holdfast.values.wal_names import WalSegment, demand_segment_size, history_name

_LINE = re.compile(r"\s*([0-9]{1,10})\s+([0-9A-Fa-f]{1,8}/[0-9A-Fa-f]{1,8})(?:\s.*)?")
_LARGEST = (1 << 32) - 1


@dataclass(frozen=True, slots=True)
class TimelineHistory:
    """How ``timeline`` came of its ancestors: ``switches`` holds each of them, the eldest first, and where it was left.

    The position is the first byte that is no longer of the ancestor: what lies before it is shared by both.
    """

    timeline: int
    switches: tuple[tuple[int, Lsn], ...] = ()

    @classmethod
    def parse(cls, timeline: int, text: str) -> TimelineHistory:
        """Read a ``.history`` file; raises IntegrityError for what the server would not read either."""
        switches: list[tuple[int, Lsn]] = []
        for line in text.splitlines():
            if not line.strip() or line.lstrip().startswith("#"):
                continue
            found = _LINE.fullmatch(line)
            if found is None:
                raise IntegrityError(f"{history_name(timeline)}: line {line[:80]!r} has no timeline and position")
            switches.append((int(found[1]), Lsn.parse(found[2])))
        cls._demand_order(timeline, switches)
        return cls(timeline, tuple(switches))

    @classmethod
    def recalled(cls, timeline: int, recorded: Iterable[tuple[int, str]]) -> TimelineHistory:
        """What ``recorded`` has written down; raises IntegrityError where that is out of order."""
        switches = [(ancestor, Lsn.parse(left)) for ancestor, left in recorded]
        cls._demand_order(timeline, switches)
        return cls(timeline, tuple(switches))

    def recorded(self) -> tuple[tuple[int, str], ...]:
        """The switches as they stand in the record of a stored history file."""
        return tuple((ancestor, str(left)) for ancestor, left in self.switches)

    @staticmethod
    def _demand_order(timeline: int, switches: list[tuple[int, Lsn]]) -> None:
        """Timelines and the positions where they were left both grow; the last is the parent of ``timeline``."""
        if not 0 < timeline <= _LARGEST:
            raise IntegrityError(f"timeline {timeline}: out of range")
        before, left = 0, Lsn(0)
        for ancestor, lsn in switches:
            if not before < ancestor < timeline or lsn < left:
                raise IntegrityError(f"{history_name(timeline)}: timeline {ancestor} at {lsn} is out of order")
            before, left = ancestor, lsn
        if timeline > 1 and not switches:
            raise IntegrityError(f"{history_name(timeline)}: it names no parent")

    @property
    def parent(self) -> int | None:
        """The timeline that this one was split from, None for the first of a cluster."""
        return self.switches[-1][0] if self.switches else None

    @property
    def begins_at(self) -> Lsn:
        """The first position that is this timeline's own."""
        return self.switches[-1][1] if self.switches else Lsn(0)

    @property
    def ancestors(self) -> tuple[int, ...]:
        """The timelines that it came of, the eldest first, without itself."""
        return tuple(ancestor for ancestor, _ in self.switches)

    def spans(self) -> Iterator[tuple[int, Lsn, Lsn | None]]:
        """(timeline, first position, position where it was left) of each, the eldest first; itself ends at None."""
        begins = Lsn(0)
        for ancestor, left in self.switches:
            yield ancestor, begins, left
            begins = left
        yield self.timeline, begins, None

    def timeline_at(self, lsn: Lsn) -> int:
        """Which timeline the byte at ``lsn`` belongs to."""
        return next((ancestor for ancestor, left in self.switches if lsn < left), self.timeline)

    def left_at(self, timeline: int) -> Lsn | None:
        """Where an ancestor was left; None for this timeline itself, and for one that it did not come of."""
        return dict(self.switches).get(timeline)

    def includes(self, timeline: int, lsn: Lsn) -> bool:
        """Does what was written up to ``lsn`` on ``timeline`` lie on the way to this timeline?"""
        left = self.left_at(timeline)
        return timeline == self.timeline or (left is not None and lsn <= left)

    def candidates(self, number: int, size_bytes: int) -> tuple[WalSegment, ...]:
        """Under which names segment ``number`` may stand, the one first that a server takes first: the youngest's.

        The segment in which a timeline begins bears its name and holds a copy of its parent's beginning. Only where
        that is missing does the parent's own serve, and no further than to where it was left.
        """
        demand_segment_size(size_bytes)
        beginnings = reversed([(timeline, begins.value // size_bytes) for timeline, begins, _ in self.spans()])
        found: list[WalSegment] = []
        for timeline, first in beginnings:
            if first <= number:
                found.append(WalSegment(timeline, number, size_bytes))
                if first < number:
                    break
        return tuple(found)

    def segment(self, number: int, size_bytes: int) -> WalSegment:
        """The segment of that number as this timeline's history has it."""
        return self.candidates(number, size_bytes)[0]

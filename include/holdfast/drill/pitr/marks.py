"""Which marker a recovery to an instant must find: read from the records of the WAL around it, as few as it takes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from holdfast.catalog.cluster_wal import ClusterWal, read_cluster
from holdfast.environment import Environment
from holdfast.manifest.pitr import PitrMark
from holdfast.manifest.wal import WalMark
from holdfast.pitr.planning import RecoveryPlan
from holdfast.values.lsn import Lsn
from holdfast.wal.timelines import TimelineHistory

# Under heavy load many segments fill between two marks.
_MOST_SEGMENTS = 128


@dataclass(frozen=True, slots=True)
class ExpectedMarks:
    """``surely``: the newest marker that had committed by the instant; ``too_late``: the first one after it."""

    surely: PitrMark | None
    too_late: PitrMark | None


def expected_marks(environment: Environment, plan: RecoveryPlan, instant: datetime) -> ExpectedMarks:
    """The markers on either side of the instant, along the way that the recovery takes."""
    catalog, system = environment.wal_catalog, plan.base.system_identifier
    verifier, pieces = environment.verifier(), catalog.pieces(system)
    wal = read_cluster(catalog, verifier, system, pieces, segment_bytes=plan.base.segment_bytes)
    if wal is None:
        return ExpectedMarks(None, None)
    first = Lsn.parse(plan.base.start_lsn).value // wal.segment_bytes
    last = max(first, (plan.window.end_lsn.value - 1) // wal.segment_bytes)
    return _Search(wal, wal.stored().history(plan.timeline), first, last).around(instant)


def around(marks: Sequence[WalMark], instant: datetime) -> ExpectedMarks:
    """The same among marks in the order of their positions; pure.

    A marker whose commit the clock read after it (``seen_at``) puts before the instant was replayed; one that was begun
    (``at``) after it was not. What lies between may be there or not.
    """
    numbered = [mark for mark in marks if mark.number is not None]
    surely = next((mark for mark in reversed(numbered) if mark.seen_at <= instant), None)
    behind = numbered[numbered.index(surely) + 1 :] if surely is not None else numbered
    too_late = next((mark for mark in behind if mark.at > instant), None)
    # Somebody may have reset the setting, so that it counts from 1 again.
    if surely is not None and too_late is not None and _number(too_late) <= _number(surely):
        too_late = None
    return ExpectedMarks(_kept(surely), _kept(too_late))


class _Search:
    """The segments of one path, from ``first`` to ``last`` by number, and the marks in each."""

    def __init__(self, wal: ClusterWal, path: TimelineHistory, first: int, last: int) -> None:
        self._wal, self._path, self._first, self._last = wal, path, first, last

    def around(self, instant: datetime) -> ExpectedMarks:
        """Look at the marks before and behind the segment in which the instant lies."""
        number = self._segment_of(instant)
        found = self._marks(number)
        before, behind = number - 1, number + 1
        while around(found, instant).surely is None and before >= 0 and number - before <= _MOST_SEGMENTS:
            found = [*self._marks(before), *found]
            before -= 1
        while around(found, instant).too_late is None and behind <= min(self._last, number + _MOST_SEGMENTS):
            found = [*found, *self._marks(behind)]
            behind += 1
        return around(found, instant)

    def _segment_of(self, instant: datetime) -> int:
        """The last segment with a mark that was begun by then; the first of all where there is none."""
        low, high = self._first, self._last
        while low < high:
            middle = (low + high + 1) // 2
            marked = next((number for number in range(middle, high + 1) if self._marks(number)), None)
            if marked is None or self._marks(marked)[0].at > instant:
                high = middle - 1
            else:
                low = marked
        return low

    def _marks(self, number: int) -> list[WalMark]:
        found: list[tuple[Lsn, WalMark]] = []
        for segment in self._path.candidates(number, self._wal.segment_bytes):
            left = self._path.left_at(segment.timeline)
            stored = self._wal.pieces.get((segment.timeline, number))
            record = self._wal.marks.record(stored[-1]) if stored else None
            for mark in record.marks if record is not None else ():
                position = Lsn.parse(mark.lsn)
                if left is None or position <= left:
                    found.append((position, mark))
        return [mark for _, mark in sorted(found, key=lambda each: each[0])]


def _kept(mark: WalMark | None) -> PitrMark | None:
    return None if mark is None else PitrMark(number=_number(mark), at=mark.at, seen_at=mark.seen_at)


def _number(mark: WalMark) -> int:
    return mark.number or 0

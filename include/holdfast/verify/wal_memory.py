"""What earlier checks of the WAL have found whole, so that it is not read again."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Sequence
from datetime import datetime

from holdfast.catalog.wal import WalPiece
from holdfast.catalog.wal_checks import KnownCheck
from holdfast.values.wal_names import is_segment_name

Ranges = tuple[tuple[str, str], ...]


class WalMemory:
    """The newest check of one cluster's WAL. Each check takes over what the one before it knew."""

    def __init__(self, newest: KnownCheck | None) -> None:
        self._check = check = newest.check if newest is not None else None
        # A clock that ran ahead must not have it know of what came later.
        self._horizon = min(newest.check.checked_at, newest.written_at) if newest is not None else None
        known = sorted(check.ranges) if check is not None else []
        self._segments = [one for one in known if is_segment_name(one[0])]
        self._firsts = [first for first, _ in self._segments]
        self._others = {first for first, _ in known if not is_segment_name(first)}

    @property
    def faults(self) -> tuple[str, ...]:
        """The objects that it has found damaged."""
        return self._check.faults if self._check is not None else ()

    def knows(self, piece: WalPiece) -> bool:
        """Was the piece found whole, and neither it nor its record written since?"""
        if piece.stored is None or piece.recorded_at is None:
            return False
        return self._holds(piece.name) and self.is_older(max(piece.stored.modified_at, piece.recorded_at))

    def knows_base(self, id: str, written_at: datetime) -> bool:
        """Was the base backup found whole, and none of its objects written since?"""
        return self._holds(id) and self.is_older(written_at)

    def is_older(self, moment: datetime) -> bool:
        """Does the moment lie before the check began?"""
        return self._horizon is not None and moment <= self._horizon

    def _holds(self, name: str) -> bool:
        if not is_segment_name(name):
            return name in self._others
        at = bisect_right(self._firsts, name) - 1
        return at >= 0 and name <= self._segments[at][1]


def ranges(names: Iterable[str], segment_bytes: int) -> Ranges:
    """Names in order, segments that follow one another as one range."""
    found: list[tuple[str, str]] = []
    for name in sorted(names):
        if found and is_segment_name(name) and _follows(found[-1], name, segment_bytes):
            found[-1] = (found[-1][0], name)
        else:
            found.append((name, name))
    return tuple(found)


def _follows(before: Sequence[str], name: str, segment_bytes: int) -> bool:
    """Is it the segment behind the last of ``before``, on the same timeline?"""
    last = before[1]
    if not is_segment_name(last) or last[:8] != name[:8]:
        return False
    per_xlog = (1 << 32) // segment_bytes
    high, low = divmod(int(last[8:16], 16) * per_xlog + int(last[16:], 16) + 1, per_xlog)
    return name[8:] == f"{high:08X}{low:08X}"

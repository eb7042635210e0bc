"""The header of a segment's first page, which says whose segment it is.

Source: PostgreSQL, access/xlog_internal.h (XLogLongPageHeaderData).
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

from holdfast.errors import IntegrityError
from holdfast.values.lsn import Lsn
from holdfast.values.wal_names import WalSegment
from holdfast.wal.timelines import TimelineHistory

HEADER_BYTES = 40
_FIELDS = "HHIQI4xQII"
_LONG = 0x0002
# The high byte of the mark that every major version of the last fifteen years has changed the low byte of.
_MARKS = (0xD0, 0xD1)


@dataclass(frozen=True, slots=True)
class PageHeader:
    """What the first page of a segment says: cluster, timeline, position, size of segments."""

    system_identifier: str
    timeline: int
    start: Lsn
    segment_bytes: int

    @classmethod
    def parse(cls, beginning: bytes) -> PageHeader:
        """Read it, in the byte order of the server; raises IntegrityError for what is no beginning of a segment."""
        if len(beginning) < HEADER_BYTES:
            raise IntegrityError(f"its first {len(beginning)} bytes are too few for a page header of WAL")
        order = "<" if beginning[1] in _MARKS else ">" if beginning[0] in _MARKS else None
        if order is None:
            raise IntegrityError("it does not begin with a page of WAL")
        _, info, timeline, start, _, system, size, _ = struct.unpack(order + _FIELDS, beginning[:HEADER_BYTES])
        if not info & _LONG:
            raise IntegrityError("its first page is not the first page of a segment")
        return cls(str(system), timeline, Lsn(start), size)

    def fault(self, system_identifier: str, segment: WalSegment, history: TimelineHistory | None) -> str | None:
        """How it differs from what a segment of that name must say; None where it does not.

        The segment in which a timeline begins starts with its parent's pages. Without a ``history`` that parent is
        not known.
        """
        if self.system_identifier != system_identifier:
            return f"its first page is of cluster {self.system_identifier}"
        if self.start != segment.start:
            return f"its first page is of {self.start} instead of {segment.start}"
        if self.segment_bytes != segment.size_bytes:
            return f"its first page is of segments of {self.segment_bytes} bytes instead of {segment.size_bytes}"
        likely = (segment.timeline,) if history is None else (segment.timeline, history.timeline_at(segment.start))
        if self.timeline not in likely and (history is not None or self.timeline > segment.timeline):
            return f"its first page is of timeline {self.timeline}"
        return None

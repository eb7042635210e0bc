"""Names of WAL segments and timeline history files, and the arithmetic between them and LSNs.

Source: PostgreSQL, access/xlog_internal.h. A segment's name has 24 hexadecimal digits: timeline, and its number in two
parts, of which the second counts the segments within 4 GiB.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from holdfast.errors import UsageError
from holdfast.values.lsn import Lsn

_SEGMENT = re.compile(r"[0-9A-F]{24}")
_HISTORY = re.compile(r"([0-9A-F]{8})\.history")
_XLOG_BYTES = 1 << 32
SMALLEST_BYTES, LARGEST_BYTES = 1 << 20, 1 << 30


def demand_segment_size(size_bytes: int) -> None:
    """Raise UsageError for what is no segment size: a power of two from 1 MiB to 1 GiB."""
    if not SMALLEST_BYTES <= size_bytes <= LARGEST_BYTES or size_bytes & (size_bytes - 1):
        raise UsageError(f"WAL segment size {size_bytes}: not a power of two from 1 MiB to 1 GiB")


@dataclass(frozen=True, slots=True, order=True)
class WalSegment:
    """One segment: ``number`` counts from the beginning of the log in steps of ``size_bytes``."""

    timeline: int
    number: int
    size_bytes: int

    @classmethod
    def parse(cls, name: str, size_bytes: int) -> WalSegment:
        """Read a segment's name; raises UsageError for any other, or one that no segment of that size bears."""
        demand_segment_size(size_bytes)
        if not _SEGMENT.fullmatch(name):
            raise UsageError(f"WAL segment {name!r}: not 24 hexadecimal digits")
        timeline, high, low = (int(name[at : at + 8], 16) for at in (0, 8, 16))
        per_xlog = _XLOG_BYTES // size_bytes
        if timeline == 0 or low >= per_xlog:
            raise UsageError(f"WAL segment {name}: no segment of {size_bytes} bytes has this name")
        return cls(timeline, high * per_xlog + low, size_bytes)

    @classmethod
    def at(cls, timeline: int, lsn: Lsn, size_bytes: int) -> WalSegment:
        """The segment that holds the byte at ``lsn``."""
        demand_segment_size(size_bytes)
        return cls(timeline, lsn.value // size_bytes, size_bytes)

    @property
    def name(self) -> str:
        """As the server calls the file."""
        per_xlog = _XLOG_BYTES // self.size_bytes
        return f"{self.timeline:08X}{self.number // per_xlog:08X}{self.number % per_xlog:08X}"

    @property
    def start(self) -> Lsn:
        """Its first byte."""
        return Lsn(self.number * self.size_bytes)

    @property
    def end(self) -> Lsn:
        """The byte after its last."""
        return Lsn((self.number + 1) * self.size_bytes)

    def next(self) -> WalSegment:
        """The one behind it on the same timeline."""
        return WalSegment(self.timeline, self.number + 1, self.size_bytes)

    def previous(self) -> WalSegment:
        """The one before it on the same timeline; raises UsageError for the first."""
        if self.number == 0:
            raise UsageError(f"WAL segment {self.name}: has none before it")
        return WalSegment(self.timeline, self.number - 1, self.size_bytes)

    def __str__(self) -> str:
        return self.name


def is_segment_name(name: str) -> bool:
    """Is it of the form that segments' names have?"""
    return _SEGMENT.fullmatch(name) is not None


def history_name(timeline: int) -> str:
    """The file that tells how ``timeline`` came of others: ``00000002.history``."""
    return f"{timeline:08X}.history"


def parse_history_name(name: str) -> int | None:
    """The timeline of a history file's name, None for any other name."""
    found = _HISTORY.fullmatch(name)
    return int(found[1], 16) if found is not None and int(found[1], 16) > 1 else None

"""Positions in the write-ahead log: ``16/B374D848``. Those of different timelines do not order."""

from __future__ import annotations

import re
from dataclasses import dataclass

from holdfast.errors import UsageError

_LSN = re.compile(r"([0-9A-Fa-f]{1,8})/([0-9A-Fa-f]{1,8})")


@dataclass(frozen=True, slots=True, order=True)
class Lsn:
    """A byte's position in the write-ahead log of one timeline (PostgreSQL manual, "pg_lsn Type")."""

    value: int

    def __post_init__(self) -> None:
        if not 0 <= self.value < 1 << 64:
            raise UsageError(f"LSN {self.value}: out of range")

    @classmethod
    def parse(cls, text: str) -> Lsn:
        """Read it as PostgreSQL prints it; raises UsageError for anything else."""
        found = _LSN.fullmatch(text.strip())
        if found is None:
            raise UsageError(f"LSN {text!r}: not of the form 16/B374D848")
        return cls(int(found[1], 16) << 32 | int(found[2], 16))

    def __add__(self, count: int) -> Lsn:
        return Lsn(self.value + count)

    def __sub__(self, other: Lsn) -> int:
        """Bytes from ``other`` to here."""
        return self.value - other.value

    def __str__(self) -> str:
        return f"{self.value >> 32:X}/{self.value & 0xFFFFFFFF:X}"

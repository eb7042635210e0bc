"""What was measured, and how it stands to its target."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

Unit = Literal["s", "µs", "KiB", "MiB", "MiB/s", "MB", "MB/s", "s/s"]


@dataclass(frozen=True, slots=True)
class Figure:
    """One quantity, measured several times in one unit; ``note`` says what it includes or leaves out."""

    name: str
    unit: Unit
    samples: tuple[float, ...]
    note: str = ""

    @classmethod
    def of(cls, name: str, unit: Unit, samples: Sequence[float], note: str = "") -> Figure:
        """A figure of at least one sample."""
        if not samples:
            raise ValueError(f"{name}: nothing was measured")
        return cls(name, unit, tuple(samples), note)

    @property
    def median(self) -> float:
        """The middle sample."""
        return statistics.median(self.samples)

    def as_json(self) -> dict[str, object]:
        """The figure with all its samples."""
        return {
            "name": self.name,
            "unit": self.unit,
            "median": round(self.median, 4),
            "min": round(min(self.samples), 4),
            "max": round(max(self.samples), 4),
            "samples": [round(sample, 4) for sample in self.samples],
            "note": self.note,
        }


@dataclass(frozen=True, slots=True)
class Target:
    """A number that was promised: a ratio of medians or a median, with its limit."""

    what: str
    value: float
    limit: float
    is_upper: bool = True
    unit: str = "x"

    @property
    def is_met(self) -> bool:
        """Whether the promise holds in these figures."""
        return self.value <= self.limit if self.is_upper else self.value >= self.limit

    def as_json(self) -> dict[str, object]:
        """The target with its verdict."""
        return {
            "what": self.what,
            "value": round(self.value, 4),
            "limit": self.limit,
            "limit_is": "at most" if self.is_upper else "at least",
            "unit": self.unit,
            "met": self.is_met,
        }


@dataclass(frozen=True, slots=True)
class Result:
    """All figures of one measure, and the targets they were taken for."""

    figures: tuple[Figure, ...]
    targets: tuple[Target, ...] = ()
    notes: tuple[str, ...] = ()

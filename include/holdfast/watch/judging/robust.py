"""Statistics that one odd value does not move: median, spread and trend."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

# Of values that scatter normally, the median distance from the median times this is their standard deviation.
_MAD_TO_SIGMA = 1.4826


@dataclass(frozen=True, slots=True)
class Usual:
    """What earlier values were: how many, between which bounds, the median, and how far they scatter around it."""

    number: int
    lowest: float
    highest: float
    median: float
    sigma: float

    @classmethod
    def of(cls, values: Sequence[float]) -> Usual:
        """Of at least one finite value."""
        median = statistics.median(values)
        mad = statistics.median(abs(value - median) for value in values)
        return cls(len(values), min(values), max(values), median, mad * _MAD_TO_SIGMA)


@dataclass(frozen=True, slots=True)
class Trend:
    """The line through measurements by Theil and Sen: the median of the slopes between every two of them.

    ``steadiness``: the share of these slopes that go the same way as the median does.
    """

    slope: float
    level: float
    at: float
    steadiness: float

    def value(self, at: float) -> float:
        """What the line says for ``at``."""
        return self.level + self.slope * (at - self.at)

    def reaches(self, limit: float) -> float | None:
        """How long after the last measurement the line comes to ``limit``; None where it leads away from it."""
        if self.slope == 0 or (limit - self.level) / self.slope < 0:
            return None
        return (limit - self.level) / self.slope


def trend(points: Sequence[tuple[float, float]]) -> Trend | None:
    """The trend of (when, value) pairs; None where they do not stand at two different times, or are no numbers."""
    known = [(at, value) for at, value in points if math.isfinite(at) and math.isfinite(value)]
    slopes = [
        (later[1] - first[1]) / (later[0] - first[0]) for first, later in combinations(known, 2) if later[0] != first[0]
    ]
    if not slopes:
        return None
    slope = statistics.median(slopes)
    last = max(at for at, _ in known)
    level = statistics.median(value + slope * (last - at) for at, value in known)
    same = sum(1 for each in slopes if each * slope > 0)
    return Trend(slope, level, last, same / len(slopes))

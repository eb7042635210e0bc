"""One value of one metric, with the labels that tell it apart."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime

from holdfast.metrics.names import Metric, metric

_NOT_IN_NAMES = re.compile(r"[^A-Za-z0-9_-]")


@dataclass(frozen=True, slots=True)
class Sample:
    """``labels`` has one text for each of the metric's labels, in their order."""

    metric: Metric
    labels: tuple[str, ...]
    value: float

    @property
    def tags(self) -> dict[str, str]:
        """The labels by their names."""
        return dict(zip(self.metric.labels, self.labels, strict=True))

    @property
    def spelled_stat(self) -> str:
        """The name in Airflow's statistics where there are no tags: the labels stand in the name, before its end."""
        _, end = self.metric.stat.split(".")
        inner = [_NOT_IN_NAMES.sub("_", label.replace(".", "__")) or "_" for label in self.labels]
        return ".".join(["holdfast", *inner, end])


def samples_at(place: tuple[str, str], values: Mapping[str, float | None], *labels: str) -> Iterator[Sample]:
    """Samples of an environment, the values by their metrics' names; what is None is not known and left out."""
    for name, value in values.items():
        if value is not None:
            yield Sample(metric(name), (*place, *labels), float(value))


def age(moment: datetime | None, now: datetime) -> float | None:
    """Seconds from then to now, at least 0: the clocks of a store and of this host differ a little."""
    return max(0.0, (now - moment).total_seconds()) if moment is not None else None

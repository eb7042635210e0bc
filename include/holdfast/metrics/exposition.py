"""Samples as Prometheus reads them, in a registry of their own."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from holdfast.metrics.sample import Sample


class _Samples(Collector):
    """Gives each metric that there is a sample of once, in the order of the samples."""

    def __init__(self, samples: Iterable[Sample]) -> None:
        self._samples = tuple(samples)

    def collect(self) -> Iterator[GaugeMetricFamily]:
        families: dict[str, GaugeMetricFamily] = {}
        for sample in self._samples:
            metric = sample.metric
            family = families.setdefault(metric.name, GaugeMetricFamily(metric.name, metric.help, labels=metric.labels))
            family.add_metric(sample.labels, sample.value)
        yield from families.values()


def exposition(samples: Iterable[Sample]) -> str:
    """The text exposition format, version 0.0.4."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Samples(samples))
    return generate_latest(registry).decode("utf-8")

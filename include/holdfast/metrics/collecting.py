"""Reads many environments at once and makes samples of them: what hinders one leaves those of the others."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from holdfast.environment import Environment
from holdfast.metrics.gauges import away, samples_of
from holdfast.metrics.names import METRICS
from holdfast.metrics.sample import Sample
from holdfast.metrics.watched import figures_of
from holdfast.values.connection import Connections
from holdfast.watch.facts import EnvironmentFacts
from holdfast.watch.fleet import each, fleet_of
from holdfast.watch.status import standing


@dataclass(frozen=True, slots=True)
class Collected:
    """``notes``: why samples are missing, one sentence for each environment or policy that could not be read."""

    samples: tuple[Sample, ...]
    notes: tuple[str, ...]


class Collector:
    """Remembers what it has read of each environment, so that reading again reads what is new."""

    def __init__(self, policy_files: Sequence[Path], connections: Connections) -> None:
        self._policy_files = tuple(policy_files)
        self._connections = connections
        self._known: dict[tuple[Path, str], EnvironmentFacts] = {}

    def collect(self, now: datetime) -> Collected:
        """The samples of every environment of the policies at ``now`` (aware); it raises for none of them."""
        fleet = fleet_of(self._policy_files)
        samples: list[Sample] = []
        notes: list[str] = []
        for broken in fleet.broken:
            samples += away(broken.app, broken.environment)
            notes.append(broken.text)
        done = each(fleet.places, self._connections, lambda there: self._read(there, now), only_reads=True)
        for place, found, fault in done:
            samples += found.samples if found is not None else away(place.app, place.environment)
            notes += [f"{place.title}: {note}" for note in (found.notes if found is not None else (fault or "",))]
        order = {name: number for number, name in enumerate(METRICS)}
        return Collected(tuple(sorted(samples, key=lambda sample: order[sample.metric.name])), tuple(notes))

    def _read(self, environment: Environment, now: datetime) -> Collected:
        key = (environment.policy_file, environment.name)
        facts, findings, record = standing(environment, now, self._known.get(key))
        if not facts.away:
            self._known[key] = facts
        samples = samples_of(facts, findings, environment.policy, now, figures_of(record))
        return Collected(samples, facts.away)

"""What is known of one environment, as samples: computed purely from its facts, its findings and its policy."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import get_args

from holdfast.metrics.names import METRICS
from holdfast.metrics.points import point_samples, target_samples
from holdfast.metrics.proofs import drill_samples, reading_samples
from holdfast.metrics.sample import Sample, age, samples_at
from holdfast.policy import EnvironmentPolicy
from holdfast.policy.alerts import Severity
from holdfast.watch.facts import EnvironmentFacts, WalFacts
from holdfast.watch.finding import SEVERITIES, Finding


@dataclass(frozen=True, slots=True)
class WatchFigures:
    """What the watch remembers: when it last left a record, and the alerts that are open, by their severities."""

    recorded_at: datetime
    open_alerts: Mapping[str, int]
    undelivered: int


def samples_of(
    facts: EnvironmentFacts,
    findings: Iterable[Finding],
    policy: EnvironmentPolicy,
    now: datetime,
    watched: WatchFigures | None = None,
) -> tuple[Sample, ...]:
    """Every sample that is known at ``now`` (aware); ``watched`` is None where no watch has left a record."""
    place = (facts.app, facts.environment)
    found = [
        *samples_at(place, {"up": not facts.away}),
        *_findings(place, findings),
        *_watched(place, watched),
        # What was not read is not known: a tier whose points were not listed is not one without points.
        *(() if facts.away else _known(facts, policy, now)),
    ]
    order = {name: number for number, name in enumerate(METRICS)}
    return tuple(sorted(found, key=lambda sample: order[sample.metric.name]))


def _known(facts: EnvironmentFacts, policy: EnvironmentPolicy, now: datetime) -> Iterator[Sample]:
    place = (facts.app, facts.environment)
    yield from samples_at(place, {"read_timestamp_seconds": facts.read_at.timestamp()})
    yield from target_samples(facts, policy, now)
    yield from point_samples(facts, policy, now)
    yield from drill_samples(facts, now)
    yield from reading_samples(facts, now)
    yield from _wal(place, facts.wal, now)
    yield from _space(facts, policy)


def away(app: str, environment: str) -> tuple[Sample, ...]:
    """What is left to say of an environment that could not even be opened."""
    return tuple(samples_at((app, environment), {"up": 0}))


def _findings(place: tuple[str, str], findings: Iterable[Finding]) -> Iterator[Sample]:
    """One for every kind and severity, zeros too: what is left out would keep its last value where gauges are kept."""
    counts = Counter((finding.severity, finding.kind) for finding in findings)
    for severity in get_args(Severity):
        for kind in SEVERITIES:
            yield from samples_at(place, {"findings": counts.pop((severity, kind), 0)}, severity, kind)
    for (severity, kind), count in counts.items():
        yield from samples_at(place, {"findings": count}, severity, kind)


def _watched(place: tuple[str, str], watched: WatchFigures | None) -> Iterator[Sample]:
    if watched is None:
        return
    yield from samples_at(
        place,
        {
            "watch_record_timestamp_seconds": watched.recorded_at.timestamp(),
            "alerts_undelivered": watched.undelivered,
        },
    )
    for severity in get_args(Severity):
        yield from samples_at(place, {"open_alerts": watched.open_alerts.get(severity, 0)}, severity)


def _wal(place: tuple[str, str], wal: WalFacts | None, now: datetime) -> Iterator[Sample]:
    if wal is None:
        return
    yield from samples_at(
        place,
        {
            "wal_lag_seconds": age(wal.caught_up_at, now),
            "wal_status_age_seconds": age(wal.status_at, now),
            "wal_behind_bytes": wal.behind_bytes,
            "wal_slot_retained_bytes": wal.retained_bytes,
            "wal_slot_safe_bytes": wal.safe_bytes,
            "wal_slot_lost": wal.lost is not None,
            "wal_gaps": sum(not gap.is_healed for gap in wal.gaps),
            "wal_gaps_healed": sum(gap.is_healed for gap in wal.gaps),
            "wal_faults": len(wal.faults),
        },
    )


def _space(facts: EnvironmentFacts, policy: EnvironmentPolicy) -> Iterator[Sample]:
    place = (facts.app, facts.environment)
    newest = max(facts.space, key=lambda sample: sample.at, default=None)
    limit = policy.alerts.space_limit if policy.alerts is not None else None
    if newest is not None:
        held = {"store_held_bytes": newest.held_bytes, "store_free_bytes": newest.free_bytes}
        yield from samples_at(place, held)
    yield from samples_at(
        place,
        {
            "store_limit_bytes": limit,
            "rotations_due": len(facts.rotations),
            "store_guard_faults": len(facts.guard),
        },
    )

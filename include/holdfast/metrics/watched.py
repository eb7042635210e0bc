"""What the watch remembers in the store, and what a round of it has just seen, as samples."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from pathlib import Path

from holdfast.errors import HoldfastError
from holdfast.metrics.gauges import WatchFigures, away, samples_of
from holdfast.metrics.sample import Sample, samples_at
from holdfast.values.connection import Connections
from holdfast.watch.fleet import Place, fleet_of
from holdfast.watch.reports import RoundReport, WatchReport
from holdfast.watch.state.book import Book
from holdfast.watch.state.records import WatchRecord


def figures_of(record: WatchRecord) -> WatchFigures | None:
    """The figures of what the watch remembers; None where there is no record."""
    if not record.number:
        return None
    return WatchFigures(
        recorded_at=record.at,
        open_alerts=Counter(alert.severity for alert in record.alerts if alert.is_open),
        undelivered=sum(alert.owes is not None for alert in record.alerts),
    )


def samples_of_watch(
    report: WatchReport, policy_files: Sequence[Path], connections: Connections, ended_at: datetime
) -> Iterator[Sample]:
    """Samples of all environments of a round that ended at ``ended_at`` (aware), from what it has read itself."""
    places = {(place.app, place.environment): place for place in fleet_of(policy_files).places}
    for title in report.failed:
        app, _, name = title.partition("/")
        yield from away(app, name)
    for broken in report.broken:
        yield from away(broken.app, broken.environment) if not broken.environment else ()
    for round in report.rounds:
        key = (round.app, round.environment)
        if key in places:
            yield from _of_round(places[key], round, connections, ended_at)
        seconds = (ended_at - report.at).total_seconds()
        ended = {"watch_last_round_timestamp_seconds": ended_at.timestamp(), "watch_round_seconds": seconds}
        yield from samples_at(key, ended)


def _of_round(place: Place, round: RoundReport, connections: Connections, now: datetime) -> Iterable[Sample]:
    if round.facts is None:
        return ()
    try:
        environment = place.open(connections)
        record = Book(environment.store, environment.keys, environment.verifier()).newest(now)
    except HoldfastError:
        # What the round has seen holds all the same.
        return samples_of(round.facts, round.findings, place.policy, now)
    return samples_of(round.facts, round.findings, place.policy, now, figures_of(record))

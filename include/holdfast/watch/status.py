"""How things stand, computed from the stores alone: reads, judges, tells nobody and writes nothing."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from holdfast.environment import Environment
from holdfast.errors import HoldfastError
from holdfast.progress import Progress, Silent
from holdfast.values.connection import Connections
from holdfast.watch.facts import EnvironmentFacts
from holdfast.watch.finding import Finding
from holdfast.watch.fleet import each, fleet_of, unwatched
from holdfast.watch.judging import judge
from holdfast.watch.reports import Seen, StatusReport, in_order
from holdfast.watch.round import NOBODY, look
from holdfast.watch.shared_stores import silenced
from holdfast.watch.state.book import Book
from holdfast.watch.state.events import open_events
from holdfast.watch.state.records import WatchRecord
from holdfast.watch.undelivered import undelivered

_SILENT = Silent()


def status_of(
    policy_files: Sequence[Path],
    connections: Connections,
    now: datetime | None = None,
    environments: Sequence[str] = (),
    progress: Progress = _SILENT,
) -> StatusReport:
    """What is not as it must be at ``now`` in all environments, or in those of the given names. Raises nothing.

    The watch's memory is used where its signature fits: reading is quicker with it. No signing key is needed.
    """
    at = now if now is not None else datetime.now(UTC)
    fleet = fleet_of(policy_files, environments)
    progress.begin(f"read {len(fleet.places)} environments")
    silent = silenced(fleet.places, connections)
    asked = [place for place in fleet.places if place.title not in silent]
    done = each(asked, connections, lambda environment: standing(environment, at), only_reads=True)
    done += [(place, None, silent[place.title]) for place in fleet.places if place.title in silent]
    progress.end()
    findings = [*fleet.broken]
    seen, notes = [], []
    for place, found, fault in done:
        seen.append(Seen(place.app, place.environment, found[0] if found else None))
        findings += found[1] if found else [unwatched(place, fault or "")]
        notes += [f"{place.title}: {note}" for note in found[0].notes] if found else []
        notes += [f"{place.title}: {NOBODY}"] if place.policy.alerts is None else []
    unique = {finding.id: finding for finding in findings}
    return StatusReport(at, in_order(unique.values()), tuple(notes), tuple(seen))


def standing(
    environment: Environment, now: datetime, known: EnvironmentFacts | None = None
) -> tuple[EnvironmentFacts, list[Finding], WatchRecord]:
    """The facts and findings of an environment, and the watch's memory, whose ``number`` is 0 where there is none.

    ``known``: what was read of it before, where that is newer than what the watch remembers.
    """
    record, faults = _memory(environment, now)
    if known is not None:
        record = record.model_copy(update={"facts": known})
    facts, _ = look(environment, record, now, faults, _SILENT)
    findings = list(judge(facts, environment.policy, now))
    for alert in record.alerts:
        if alert.is_open:
            findings += open_events(alert, facts, environment.policy, now)
    return facts, [*findings, *undelivered(environment, record)], record


def _memory(environment: Environment, now: datetime) -> tuple[WatchRecord, dict[str, str]]:
    """The memory, or an empty one: without a key to check it by, or without the store, it says nothing."""
    try:
        book = Book(environment.store, environment.keys, environment.verifier())
        return book.newest(now), book.faults
    except (HoldfastError, OSError):
        return WatchRecord(app=environment.app, environment=environment.name, at=now), {}

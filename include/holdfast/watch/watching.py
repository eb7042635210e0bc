"""A round of the watch for all environments of some policy files, and one ping for each dead man's switch."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from holdfast.environment import Environment
from holdfast.progress import Progress, Silent
from holdfast.values.connection import Connections
from holdfast.watch.fleet import each, fleet_of, unwatched
from holdfast.watch.pings import ping_watch
from holdfast.watch.reports import RoundReport, WatchReport
from holdfast.watch.round import Carried, watch_round
from holdfast.watch.shared_stores import silenced

_SILENT = Silent()


def watch_all(
    policy_files: Sequence[Path],
    connections: Connections,
    now: datetime | None = None,
    environments: Sequence[str] = (),
    *,
    progress: Progress = _SILENT,
) -> WatchReport:
    """One round each, side by side. Raises nothing: what fails is in the report, and fails the ping.

    A policy file that cannot be read, or an environment that cannot be opened or whose bucket is known not to answer,
    tells nobody itself: the first of the other environments that has a section ``alerts`` carries what is to be said.
    """
    at = now if now is not None else datetime.now(UTC)
    fleet = fleet_of(policy_files, environments)
    progress.begin(f"watch {len(fleet.places)} environments")
    # Opened before: what cannot be has to be known by the time that another speaks for it.
    tried = each(fleet.places, connections, lambda environment: environment.signer())
    failed = {place.title: fault for place, _, fault in tried if fault is not None}
    failed |= silenced([place for place in fleet.places if place.title not in failed], connections)
    broken = (
        *fleet.broken,
        *(unwatched(place, failed[place.title]) for place in fleet.places if place.title in failed),
    )
    places = [place for place in fleet.places if place.title not in failed]
    looked_at = frozenset((*(place.title for place in fleet.places), *(f"{file.stem}/" for file in policy_files)))
    # Whoever has spoken for a place, before another became the first, says that it is well again.
    mended = looked_at - {f"{finding.app}/{finding.environment}" for finding in broken}
    carrier = next((place.title for place in places if place.policy.alerts is not None), None)

    def act(environment: Environment) -> RoundReport:
        carried = Carried(broken, looked_at) if environment.title == carrier else Carried((), mended)
        return watch_round(environment, at, is_pinging=False, carried=carried)

    done = each(places, connections, act)
    progress.end()
    rounds = tuple(report for _, report, _ in done if report is not None)
    failed |= {place.title: fault for place, _, fault in done if fault is not None}
    report = WatchReport(at, rounds, failed, broken)
    return WatchReport(at, rounds, failed, broken, tuple(ping_watch(fleet, connections, report)))

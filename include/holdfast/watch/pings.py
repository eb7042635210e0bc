"""The dead man's switches of a fleet: each is called once, with the worst of what was found where it is named."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from holdfast.alerting import ping
from holdfast.errors import HoldfastError
from holdfast.values.connection import Connections
from holdfast.watch.fleet import Fleet, Place
from holdfast.watch.reports import RoundReport, StatusReport, WatchReport


def call(connections: Connections, conn_id: str, title: str, faults: Sequence[str]) -> str | None:
    """Ping a connection, with ``/fail`` where there are faults; why the ping was not taken, or None."""
    try:
        ping(connections.get(conn_id), not faults, "\n".join([title, *faults]))
    except HoldfastError as error:
        return error.message
    return None


def faults_of(report: RoundReport) -> list[str]:
    """What of a round fails a ping: findings that page, and messages that did not arrive."""
    pages = [finding.text for finding in report.findings if finding.severity == "page"]
    return [*pages, *(f"not delivered: {text}" for text in report.undelivered)]


def ping_watch(fleet: Fleet, connections: Connections, report: WatchReport) -> list[str]:
    """Tell how the rounds went; what was not taken, in words. Nobody vouches for the whole where one had no round."""
    rounds = {f"{round.app}/{round.environment}": faults_of(round) for round in report.rounds}
    common = [f"{title}: not watched: {fault}" for title, fault in report.failed.items()]
    common += [finding.text for finding in report.broken]
    return _each(fleet, connections, "holdfast watch", lambda place: rounds.get(place.title, []), common)


def ping_status(fleet: Fleet, connections: Connections, report: StatusReport) -> list[str]:
    """Tell what a look at the state of things has found, as ``ping_watch``."""
    found: Mapping[str, list[str]] = {place.title: [] for place in fleet.places}
    common: list[str] = []
    for finding in report.findings:
        if finding.severity == "page":
            found.get(f"{finding.app}/{finding.environment}", common).append(finding.text)
    return _each(fleet, connections, "holdfast status", lambda place: found[place.title], common)


def _each(
    fleet: Fleet, connections: Connections, title: str, faults: Callable[[Place], list[str]], common: list[str]
) -> list[str]:
    named: dict[str, list[Place]] = {}
    for place in fleet.places:
        if place.policy.alerts is not None and place.policy.alerts.ping_conn_id is not None:
            named.setdefault(place.policy.alerts.ping_conn_id, []).append(place)
    refused = []
    for conn_id, places in named.items():
        said = [*common, *(fault for place in places for fault in faults(place))]
        head = f"{title}: {', '.join(place.title for place in places)}"
        refused.append(call(connections, conn_id, head, said))
    return [fault for fault in refused if fault is not None]

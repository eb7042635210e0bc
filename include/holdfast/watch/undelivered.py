"""The findings that the watch makes of itself: messages that do not arrive, and a memory that was tampered with."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from holdfast.environment import Environment
from holdfast.watch.facts import Trouble
from holdfast.watch.finding import SEVERITIES, Finding
from holdfast.watch.judging.severity import chosen
from holdfast.watch.state.records import FailingRoute, WatchRecord
from holdfast.watch.telling import UNDELIVERED

# One failure may be a moment's; the second one, a round later, is not.
_ROUNDS = 2


def undelivered(environment: Environment, record: WatchRecord) -> tuple[Finding, ...]:
    """One for each route that has failed in two rounds or more, with the severity that the policy gives it."""
    found = [_of(environment, route) for route in record.failing if route.rounds >= _ROUNDS]
    return tuple(finding for each in found if (finding := chosen(each, environment.policy)) is not None)


def sendable(environment: Environment, findings: tuple[Finding, ...]) -> Iterator[Finding]:
    """Those that another way than the failing one is left for."""
    alerts = environment.policy.alerts
    for finding in findings:
        if alerts is not None and alerts.route("page") != alerts.route("notify"):
            yield finding


def tampered(faults: Mapping[str, str]) -> Iterator[Trouble]:
    """One for everything in the watch's memory that is not ours."""
    for key, fault in sorted(faults.items()):
        yield Trouble(kind="signature_mismatch", subject="watch", text=f"the watch's record {key} {fault}")


def _of(environment: Environment, route: FailingRoute) -> Finding:
    place = f"{environment.app}/{environment.name}"
    return Finding(
        id=f"{place}/{UNDELIVERED}/{route.severity}",
        thread=f"{place}/{UNDELIVERED}-{route.severity}",
        kind=UNDELIVERED,
        severity=SEVERITIES[UNDELIVERED],
        app=environment.app,
        environment=environment.name,
        subject=route.severity,
        text=f"messages of severity {route.severity} do not arrive: {route.text}",
        since=route.since,
        meaning="Who should be told of faults is not told. Messages wait, and are tried again every round.",
        advice=f"`holdfast alerts test POLICY {environment.name} --severity {route.severity}` tries the way. Look at "
        f"the connection {route.conn_id} and at the service behind it; `holdfast status` shows what waits.",
        runbook=f"findings.md#{UNDELIVERED.replace('_', '-')}",
    )

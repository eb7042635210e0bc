"""Raises what a run reports itself, such as that it failed: by the memory of the rounds, so that it is said once."""

from __future__ import annotations

from datetime import datetime

from holdfast.alerting import DeliveryError
from holdfast.environment import Environment
from holdfast.errors import UsageError
from holdfast.watch.dispatch import Dispatch
from holdfast.watch.finding import Finding
from holdfast.watch.judging.severity import chosen
from holdfast.watch.messages import Wording
from holdfast.watch.reports import RoundReport
from holdfast.watch.state.deciding import Sight
from holdfast.watch.state.memory import Memory
from holdfast.watch.state.records import Alert, WatchRecord
from holdfast.watch.telling import outgoing, send


def raise_alert(environment: Environment, finding: Finding, now: datetime | None = None) -> RoundReport:
    """Tell people of a finding that no round reads from the store, unless its thread is open already.

    A round resolves it once the store shows that the tier's work was done after all. Raises DeliveryError where not
    everybody was told: that is remembered, and tried again by the next round of the watch. A store that is away stops
    nothing.
    """
    now = now if now is not None else environment.clock()
    wanted = chosen(finding, environment.policy)
    if wanted is None or environment.policy.alerts is None:
        why = "is off in the policy" if wanted is None else "cannot be told: the policy has no section alerts"
        return _report(environment, now, (), notes=(f"{finding.kind} {why}",))
    try:
        memory = Memory(environment, environment.signer(), now)
    except UsageError as error:
        return _unremembered(environment, wanted, now, error.message)
    dispatch = Dispatch(environment, memory, now)
    dispatch.say(lambda record: _with(record, wanted, environment.title))
    away = (f"the store keeps no memory of it, which stays on this host: {memory.away}",) if memory.away else ()
    _demand_told(dispatch.faults)
    return _report(environment, now, (wanted,), raised=dispatch.told("raise"), notes=away)


def _with(record: WatchRecord, finding: Finding, environment: str) -> Sight:
    """What is known of the finding's thread, and the finding itself; all other threads stay as they are."""
    opened = [alert for alert in record.alerts if alert.thread == finding.thread and alert.is_open]
    others = [each for alert in opened for each in alert.findings if each.id != finding.id]
    return Sight((*others, finding), frozenset({environment}), only=frozenset({finding.thread}))


def _unremembered(environment: Environment, finding: Finding, now: datetime, why: str) -> RoundReport:
    """Without a key there is no memory; it is said all the same, and again by whoever finds it later."""
    policy = environment.policy.alerts
    assert policy is not None
    alert = Alert(thread=finding.thread, severity=finding.severity, findings=(finding,), raised_at=now, owes="raise")
    wording = Wording(policy, environment.policy.timezone, environment.title, now)
    outcomes = send(environment, policy, outgoing([alert], wording))
    _demand_told(tuple(outcome.fault for outcome in outcomes if outcome.fault))
    return _report(environment, now, (finding,), raised=(finding.thread,), notes=(f"not remembered: {why}",))


def _demand_told(faults: tuple[str, ...]) -> None:
    if faults:
        raise DeliveryError("; ".join(faults), hint="`holdfast alerts test POLICY ENV` sends a message to try it.")


def _report(
    environment: Environment,
    now: datetime,
    findings: tuple[Finding, ...],
    *,
    raised: tuple[str, ...] = (),
    notes: tuple[str, ...] = (),
) -> RoundReport:
    return RoundReport(
        app=environment.app,
        environment=environment.name,
        at=now,
        findings=findings,
        raised=raised,
        notes=notes,
    )

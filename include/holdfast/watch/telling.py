"""Tells people what alerts owe them: messages by route, a digest where there are many, and what became of each."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime

from holdfast.alerting import DeliveryError, Message, MessageKind, deliver
from holdfast.environment import Environment
from holdfast.errors import HoldfastError
from holdfast.policy.alerts import Alerts, Severity
from holdfast.watch.messages import Wording
from holdfast.watch.state.records import Alert, FailingRoute

UNDELIVERED = "alert_undelivered"
# More at once come as one message: who is woken needs one list, not twenty calls.
_SINGLY = 5
_KINDS: tuple[MessageKind, ...] = ("page", "resolved", "notify")
_ROUND_S = 60.0
_MESSAGE_S = 18.0


@dataclass(frozen=True, slots=True)
class Outgoing:
    """One message to a route (``only`` to some of its addresses) about the alerts of ``threads``."""

    severity: Severity
    only: tuple[str, ...] | None
    threads: tuple[str, ...]
    message: Message


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a message: ``fault`` says why not everybody has it, ``owed_to`` who (None: nobody has)."""

    sent: Outgoing
    fault: str | None
    owed_to: tuple[str, ...] | None


def route_of(alert: Alert) -> Severity:
    """By whose route it goes: by its severity's, and by the other where it says that one fails."""
    finding = alert.findings[0]
    if finding.kind == UNDELIVERED:
        return "notify" if finding.subject == "page" else "page"
    return alert.severity


def outgoing(alerts: Iterable[Alert], wording: Wording) -> Iterator[Outgoing]:
    """The messages that these alerts owe: pages first, then what is gone, then the rest in one digest."""
    groups: dict[tuple[int, Severity, tuple[str, ...] | None], list[Alert]] = {}
    for alert in alerts:
        is_gone = alert.owes == "resolve"
        rank = 1 if is_gone else 0 if alert.severity == "page" else 2
        groups.setdefault((rank, route_of(alert), alert.owed_to), []).append(alert)
    for (rank, severity, only), group in sorted(groups.items(), key=lambda item: (item[0][0], item[0][1])):
        is_single = len(group) == 1 or (rank < 2 and len(group) <= _SINGLY)
        if is_single:
            for alert in group:
                yield Outgoing(severity, only, (alert.thread,), wording.single(alert))
        else:
            threads = tuple(alert.thread for alert in group)
            yield Outgoing(severity, only, threads, wording.several(group, _KINDS[rank]))


def send(environment: Environment, policy: Alerts, messages: Iterable[Outgoing]) -> list[Outcome]:
    """Send them one after another, within a minute in all; what is not sent by then is left for the next round."""
    deadline = time.monotonic() + _ROUND_S
    return [_sent(environment, policy, message, deadline - time.monotonic()) for message in messages]


def _sent(environment: Environment, policy: Alerts, message: Outgoing, left_s: float) -> Outcome:
    if left_s < 1:
        return Outcome(message, "not tried: those before it took too long", None)
    conn_id, tag = policy.route(message.severity)
    try:
        connection = environment.connections.get(conn_id)
        deliver(connection, tag, message.message, only=message.only, within_s=min(_MESSAGE_S, left_s))
    except DeliveryError as error:
        return Outcome(message, error.message, error.failed if error.delivered or message.only else None)
    except HoldfastError as error:
        return Outcome(message, error.message, None)
    return Outcome(message, None, ())


def settled(alert: Alert, outcome: Outcome, now: datetime) -> Alert:
    """The alert after its message was sent, or was not."""
    claim = {"claimed_at": None, "claimed_by": None}
    if outcome.fault is not None:
        is_told = outcome.owed_to is not None and alert.owed_to is None
        told = {"said_at": now, "times": alert.times + 1} if is_told else {}
        return alert.model_copy(update={**claim, **told, "owed_to": outcome.owed_to, "tries": alert.tries + 1})
    is_first = alert.owed_to is None
    return alert.model_copy(
        update={
            **claim,
            "said_at": now if is_first else alert.said_at,
            "times": alert.times + is_first,
            "due_at": None,
            "owes": None,
            "owed_to": None,
            "tries": 0,
        }
    )


def failing(
    before: Iterable[FailingRoute], outcomes: Iterable[Outcome], alerts: Iterable[Alert], policy: Alerts, now: datetime
) -> tuple[FailingRoute, ...]:
    """The routes that fail after a round: one that was not used stays so for as long as it owes something."""
    known = {route.severity: route for route in before}
    owing = {route_of(alert) for alert in alerts if alert.owes is not None}
    faults: dict[Severity, str | None] = {}
    for outcome in outcomes:
        severity = outcome.sent.severity
        faults[severity] = faults.get(severity) or outcome.fault
    for severity, fault in faults.items():
        old = known.pop(severity, None)
        if fault is not None:
            since, rounds = (old.since, old.rounds + 1) if old is not None else (now, 1)
            conn_id = policy.route(severity)[0]
            known[severity] = FailingRoute(severity=severity, conn_id=conn_id, since=since, rounds=rounds, text=fault)
    return tuple(route for severity, route in sorted(known.items()) if severity in owing)

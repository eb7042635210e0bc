"""Decides what is to be said, purely: a thread is raised once, reminded by policy, resolved once it is gone."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from holdfast.policy.alerts import Remind, Severity
from holdfast.watch.finding import Finding
from holdfast.watch.state.records import Alert

QUIET = timedelta(hours=1)
"""What comes back sooner is not raised again at once, and counts as resolved again only when gone for so long."""
CLAIM = timedelta(minutes=10)
"""How long nobody else sends what a watch has claimed: far longer than sending takes."""
_KEPT_OWING = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Sight:
    """What was found when ``places`` (``app/environment``) were looked at.

    ``only``: the threads that it is about, None for all. ``is_blind``: the store could not be read, so that what is
    not found is not gone.
    """

    findings: tuple[Finding, ...]
    places: frozenset[str]
    only: frozenset[str] | None = None
    is_blind: bool = False

    def has_overlooked(self, alert: Alert) -> bool:
        """May an alert be there still, although nothing of it was found?"""
        places = {f"{finding.app}/{finding.environment}" for finding in alert.findings}
        return self.is_blind or not places <= self.places


def decide(alerts: Iterable[Alert], sight: Sight, remind: Remind, now: datetime) -> tuple[Alert, ...]:
    """The alerts as they are after a round's sight, each with what it owes to people; sorted by thread."""
    known = {alert.thread: _not_ahead(alert, now) for alert in alerts}
    threads = by_thread(sight.findings)
    decided: list[Alert] = []
    for thread in sorted(known.keys() | threads.keys()):
        alert, findings = known.get(thread), threads.get(thread, ())
        if sight.only is not None and thread not in sight.only and alert is not None:
            decided.append(alert)
        elif findings:
            decided.append(_present(alert, findings, remind, now))
        elif alert is not None and (left := _absent(alert, sight, now)) is not None:
            decided.append(left)
    return tuple(decided)


def _not_ahead(alert: Alert, now: datetime) -> Alert:
    """What a watch whose clock was far ahead has written must not keep a thread silent until its time comes."""
    ahead = {
        name: now
        for name in ("raised_at", "said_at", "resolved_at", "gone_at")
        if (moment := getattr(alert, name)) is not None and moment - now > QUIET
    }
    if alert.due_at is not None and alert.due_at - now > 2 * QUIET:
        ahead["due_at"] = now + QUIET
    return alert.model_copy(update=ahead) if ahead else alert


def due(alert: Alert, me: str, now: datetime) -> bool:
    """Is something to be said now, and nobody else at it?"""
    is_claimed = alert.claimed_at is not None and alert.claimed_by != me and abs(now - alert.claimed_at) < CLAIM
    return alert.owes is not None and not is_claimed


def by_thread(findings: Iterable[Finding]) -> Mapping[str, tuple[Finding, ...]]:
    """Findings by thread, in their order."""
    found: dict[str, tuple[Finding, ...]] = {}
    for finding in findings:
        found[finding.thread] = (*found.get(finding.thread, ()), finding)
    return found


def _present(alert: Alert | None, findings: tuple[Finding, ...], remind: Remind, now: datetime) -> Alert:
    severity: Severity = "page" if any(finding.severity == "page" for finding in findings) else "notify"
    if alert is None or (alert.resolved_at is not None and now - alert.resolved_at >= QUIET):
        return Alert(thread=findings[0].thread, severity=severity, findings=findings, raised_at=now, owes="raise")
    seen = _reopened(alert, findings) if alert.resolved_at is not None else _changed(alert, findings=findings)
    if severity == "page" and alert.severity == "notify":
        return _changed(seen, severity="page", owes="raise", owed_to=None, tries=0)
    is_owed_by_all = seen.owes is not None and seen.owed_to is None
    if not is_owed_by_all and seen.said_at is not None and now >= _again_at(seen, severity == "page", remind):
        return _changed(seen, owes="remind", owed_to=None)
    return seen


def _reopened(alert: Alert, findings: tuple[Finding, ...]) -> Alert:
    """It came back within the quiet time: told again only at its end, if it is still there or came back after."""
    if alert.owes == "resolve" and alert.owed_to is None:
        # Nobody has heard that it was gone.
        owes = "raise" if alert.times == 0 else None
        return _changed(alert, findings=findings, resolved_at=None, owes=owes, gone_at=None)
    assert alert.resolved_at is not None
    due_at = alert.resolved_at + QUIET
    return _changed(
        alert, findings=findings, resolved_at=None, owes=None, owed_to=None, returns=alert.returns + 1, due_at=due_at
    )


def _again_at(alert: Alert, is_page: bool, remind: Remind) -> datetime:
    if alert.due_at is not None:
        return alert.due_at
    assert alert.said_at is not None
    return (remind.page if is_page else remind.notify).after(alert.said_at)


def _absent(alert: Alert, sight: Sight, now: datetime) -> Alert | None:
    if alert.resolved_at is not None:
        is_over = now - alert.resolved_at >= (_KEPT_OWING if alert.owes is not None else QUIET)
        return None if is_over else alert
    # Another watch, which looked later or is just sending, knows more than this one.
    is_anothers = alert.raised_at > now or (alert.claimed_at is not None and abs(now - alert.claimed_at) < CLAIM)
    if sight.has_overlooked(alert) or is_anothers:
        return alert
    if alert.returns and (alert.gone_at is None or now - alert.gone_at < QUIET):
        return _changed(alert, gone_at=alert.gone_at or now)
    return _changed(alert, resolved_at=now, owes="resolve", owed_to=None, tries=0, due_at=None)


def _changed(alert: Alert, **fields: object) -> Alert:
    if "findings" in fields and "gone_at" not in fields:
        fields["gone_at"] = None
    return alert.model_copy(update=fields)

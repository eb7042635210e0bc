"""The words of messages: plain text that reads well in an SMS, in a chat and in an e-mail."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from zoneinfo import ZoneInfo

from holdfast.alerting.message import Message, MessageKind
from holdfast.policy.alerts import Alerts
from holdfast.values import figures
from holdfast.watch.finding import Finding
from holdfast.watch.state.records import Alert

_ROLES = (
    ("on_call", "On-call DevOps (initiates the restore)"),
    ("database_admin", "Database admin (verifies the data)"),
    ("team_lead", "Team lead (approves changes of production)"),
)
_HEADLINE_SIGNS = 120


@dataclass(frozen=True, slots=True)
class Wording:
    """What the words depend on: who is named, where links lead, and the time zone of times."""

    alerts: Alerts
    timezone: str
    title: str
    now: datetime

    def single(self, alert: Alert) -> Message:
        """One alert's message: raised, still there, or gone."""
        head = headline(alert.findings[0])
        if alert.owes == "resolve":
            return Message(f"[resolved] {self.title}: {head}", "\n".join(self._gone(alert)), "resolved", alert.thread)
        still = "still: " if alert.owes == "remind" else ""
        lines = [*self._course(alert), *self._findings(alert), *self._contacts()]
        return Message(
            f"[{alert.severity}] {self.title}: {still}{head}", "\n".join(lines), alert.severity, alert.thread
        )

    def several(self, alerts: Sequence[Alert], kind: MessageKind) -> Message:
        """Many at once in one message: the first lines name all of them, the rest explains."""
        lines = [f"- {self._mark(alert, kind)}{headline(alert.findings[0])}" for alert in alerts]
        if kind != "resolved":
            for alert in alerts:
                lines += ["", *self._findings(alert)]
            lines += list(self._contacts())
        word = "alerts" if kind != "notify" else "things to look at"
        thread = alerts[0].thread if len(alerts) == 1 else None
        return Message(f"[{kind}] {self.title}: {len(alerts)} {word}", "\n".join(lines), kind, thread)

    def moment(self, moment: datetime) -> str:
        """With its zone's name: ``2026-11-22 03:00 CET``."""
        return moment.astimezone(ZoneInfo(self.timezone)).strftime("%Y-%m-%d %H:%M %Z")

    def _mark(self, alert: Alert, kind: MessageKind) -> str:
        if kind == "resolved":
            return f"resolved {self._after(alert)}: "
        return "still: " if alert.owes == "remind" else ""

    def _after(self, alert: Alert) -> str:
        return f"after {span(alert.raised_at, alert.gone_at or alert.resolved_at or self.now)}"

    def _gone(self, alert: Alert) -> Iterator[str]:
        untold = "" if alert.times else " Nobody could be told of it before."
        yield f"Resolved {self._after(alert)}: raised {self.moment(alert.raised_at)}.{untold}"
        yield from (f"It was: {finding.text}" for finding in alert.findings)

    def _course(self, alert: Alert) -> Iterator[str]:
        """What came before, where something did."""
        if alert.due_at is not None and alert.returns:
            times = "once" if alert.returns == 1 else f"{alert.returns} times"
            yield f"It is back: it was resolved, and has come back {times} since."
        elif alert.owes == "remind":
            times = "once" if alert.times == 1 else f"{alert.times} times"
            yield f"Open for {span(alert.raised_at, self.now)}, said {times} before."

    def _findings(self, alert: Alert) -> Iterator[str]:
        for number, finding in enumerate(alert.findings):
            if number:
                yield ""
            yield finding.text
            if finding.since is not None:
                yield f"Since: {self.moment(finding.since)} ({span(finding.since, self.now)})"
            yield f"What it means: {finding.meaning}"
            yield f"What to do: {finding.advice}"
            yield f"Runbook: {_below(self.alerts.runbook_url, finding.runbook) or f'docs/{finding.runbook}'}"
            if finding.dag is not None:
                yield f"DAG: {_below(self.alerts.airflow_url, f'dags/{finding.dag}') or finding.dag}"

    def _contacts(self) -> Iterator[str]:
        for field, role in _ROLES:
            who = getattr(self.alerts.contacts, field)
            if who:
                yield f"{role}: {who}"


def _below(url: str | None, path: str) -> str | None:
    return f"{url.rstrip('/')}/{path}" if url else None


def headline(finding: Finding) -> str:
    """A finding's text without what the title says already, short enough for a title."""
    place = (finding.app, finding.environment)
    text = finding.text.removeprefix("{}/{}: ".format(*place)).removeprefix("{} {} ".format(*place))
    return text if len(text) <= _HEADLINE_SIGNS else text[: _HEADLINE_SIGNS - 1] + "…"


def span(begin: datetime, end: datetime) -> str:
    """A time between two moments in words: ``3 h 05 min``, ``2 days``."""
    seconds = max(0.0, (end - begin).total_seconds())
    return f"{seconds / 86_400:.0f} days" if seconds >= 2 * 86_400 else figures.seconds(round(seconds))

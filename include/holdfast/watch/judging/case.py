"""What is judged: facts and policy at a moment; it makes findings and writes times, commands and people."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cached_property
from zoneinfo import ZoneInfo

from holdfast.policy import EnvironmentPolicy
from holdfast.policy.alerts import Severity
from holdfast.values import visible
from holdfast.watch.facts import EnvironmentFacts, PointFacts, ScheduleFacts
from holdfast.watch.finding import SEVERITIES, Finding

_LATE_AFTER = timedelta(hours=1)
_CLOCKS_DIFFER = timedelta(hours=1)
_ROLES = {"on_call": "On-call DevOps", "database_admin": "The database admin", "team_lead": "The team lead"}


@dataclass(frozen=True)
class Case:
    """One environment as it is judged. All that is said of it names no moment in an id: causes last over nights."""

    facts: EnvironmentFacts
    policy: EnvironmentPolicy
    now: datetime

    def finding(
        self,
        kind: str,
        subject: str,
        text: str,
        *,
        meaning: str,
        advice: str,
        since: datetime | None = None,
        tier: str | None = None,
        dag: str | None = None,
        severity: Severity | None = None,
        cause: str | None = None,
    ) -> Finding:
        """A finding of this environment; ``tier`` is the one that its cause lies in, ``dag`` where that is another.

        ``cause`` names its thread where several subjects have one cause that is no tier.
        """
        place = f"{self.facts.app}/{self.facts.environment}"
        lies_in = dag or tier
        return Finding(
            id="/".join(filter(None, (place, kind, subject))),
            thread="/".join(filter(None, (place, cause or tier or subject))),
            kind=kind,
            severity=severity or SEVERITIES[kind],
            app=self.facts.app,
            environment=self.facts.environment,
            subject=subject,
            text=text,
            since=since,
            meaning=meaning,
            advice=advice,
            runbook=f"findings.md#{kind.replace('_', '-')}",
            dag=f"{self.facts.app}-{self.facts.environment}.{lies_in}" if lies_in else None,
        )

    @property
    def late_after(self) -> timedelta:
        """How long after its time a backup may be missing."""
        alerts = self.policy.alerts
        return timedelta(seconds=alerts.late_after.as_seconds) if alerts is not None else _LATE_AFTER

    def points(self, tier: str) -> list[PointFacts]:
        """The committed points of a tier, oldest first, without those of a clock that was ahead."""
        return self._by_tier.get(tier, [])

    @cached_property
    def _by_tier(self) -> dict[str, list[PointFacts]]:
        found: dict[str, list[PointFacts]] = {}
        for point in sorted(self.facts.points, key=lambda point: (point.opened_at, point.id)):
            if self.is_past(point.opened_at):
                found.setdefault(point.tier, []).append(point)
        return found

    def is_past(self, moment: datetime) -> bool:
        """Whether a moment has come, by clocks that differ a little."""
        return moment - self.now <= _CLOCKS_DIFFER

    def schedule(self, tier: str) -> str | None:
        """The tier's cron expression; None where it has none, or runs without end."""
        part = self.policy.tiers.get(tier)  # type: ignore[call-overload]
        return part.schedule if part is not None and part.schedule not in (None, "continuous") else None

    def has(self, tier: str) -> bool:
        """Whether the policy has the tier."""
        return tier in self.policy.tiers

    def demanded_since(self, tier: str) -> datetime | None:
        """From when on something of the tier could be expected; None where the environment has left no trace yet."""
        seen = self._seen(tier)
        known = [moment for moment in (self.facts.since, seen.since if seen else None) if moment is not None]
        return max(known, default=None)

    def declared_since(self, tier: str) -> datetime | None:
        """When the watch first saw the tier's schedule; None where it was so at the first look."""
        seen = self._seen(tier)
        return seen.since if seen else None

    def _seen(self, tier: str) -> ScheduleFacts | None:
        return next((each for each in self.facts.schedules if each.tier == tier), None)

    def when(self, moment: datetime) -> str:
        """A moment for people, in the environment's time zone."""
        try:
            local = moment.astimezone(ZoneInfo(self.policy.timezone))
        except OverflowError:
            local = moment.astimezone(UTC) if moment.tzinfo is None else moment
        return f"{local:%a} {local.day} {local:%b %Y %H:%M %Z}"

    def command(self, words: str, rest: str = "") -> str:
        """A command line to copy, with the environment's name and POLICY for its file."""
        return f"`holdfast {words} POLICY {self.facts.environment}{f' {rest}' if rest else ''}`"

    def dag(self, tier: str) -> str:
        """The id of a tier's DAG, as it is written in a sentence."""
        return f"`{self.facts.app}-{self.facts.environment}.{tier}`"

    def who(self, role: str) -> str:
        """A role of the guides, with whom the policy names for it."""
        contacts = self.policy.alerts.contacts if self.policy.alerts is not None else None
        named = getattr(contacts, role, None)
        return f"{_ROLES[role]} ({named})" if named else _ROLES[role]


Findings = Iterator[Finding]


def age(span: timedelta) -> str:
    """A span of time for people, in its two largest units: ``2 d 3 h``, ``1 h 05 min``, ``12 min``."""
    minutes = max(0, round(span.total_seconds() / 60))
    if minutes < 60:
        return f"{minutes} min"
    if minutes < 2880:
        return f"{minutes // 60} h {minutes % 60:02} min"
    return f"{minutes // 1440} d {minutes % 1440 // 60} h"


def sentence(faults: tuple[str, ...], most: int = 3) -> str:
    """The first of some faults, and how many more there are."""
    shown = "; ".join(visible.visible(fault) for fault in faults[:most])
    return shown + (f"; and {len(faults) - most} more" if len(faults) > most else "")

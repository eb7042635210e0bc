"""What rounds of the watch and looks at the state of things report."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from holdfast.policy.model import DUMP_TIERS
from holdfast.watch.facts import EnvironmentFacts, PointFacts
from holdfast.watch.finding import Finding


@dataclass(frozen=True, slots=True)
class Seen:
    """One environment as it was looked at; ``facts`` is None where it could not be opened."""

    app: str
    environment: str
    facts: EnvironmentFacts | None

    @property
    def newest(self) -> PointFacts | None:
        """Its newest restore point."""
        points = [point for point in self.facts.points if point.tier in DUMP_TIERS] if self.facts is not None else []
        return max(points, key=lambda point: point.opened_at, default=None)

    def as_json(self) -> dict[str, object]:
        """Names, the newest restore point, and how old that is in seconds."""
        newest = self.newest
        age_s = (self.facts.read_at - newest.opened_at).total_seconds() if newest and self.facts else None
        return {
            "app": self.app,
            "environment": self.environment,
            "restore_point": newest.id if newest else None,
            "age_seconds": age_s,
        }


@dataclass(frozen=True, slots=True)
class StatusReport:
    """What is not as it must be, pages first. ``notes`` say what is worth knowing besides."""

    at: datetime
    findings: tuple[Finding, ...]
    notes: tuple[str, ...]
    seen: tuple[Seen, ...]

    def as_json(self) -> dict[str, object]:
        """As ``holdfast status --json`` prints it."""
        return {
            "at": self.at.isoformat(),
            "findings": [finding.as_json() for finding in self.findings],
            "notes": list(self.notes),
            "environments": [each.as_json() for each in self.seen],
        }


@dataclass(frozen=True, slots=True)
class RoundReport:
    """One round of one environment. ``raised``, ``reminded`` and ``resolved`` are threads that people were told of.

    ``undelivered``: why messages did not arrive, in words. ``facts``: what was read, None where the round was an event.
    """

    app: str
    environment: str
    at: datetime
    findings: tuple[Finding, ...]
    facts: EnvironmentFacts | None = None
    raised: tuple[str, ...] = ()
    reminded: tuple[str, ...] = ()
    resolved: tuple[str, ...] = ()
    undelivered: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def is_ok(self) -> bool:
        """Is nobody to be woken, and has everything that was said arrived?"""
        return not self.undelivered and all(finding.severity != "page" for finding in self.findings)

    def as_json(self) -> dict[str, object]:
        """As ``holdfast watch --json`` prints it for each environment."""
        return {
            "app": self.app,
            "environment": self.environment,
            "at": self.at.isoformat(),
            "findings": [finding.as_json() for finding in self.findings],
            "raised": list(self.raised),
            "reminded": list(self.reminded),
            "resolved": list(self.resolved),
            "undelivered": list(self.undelivered),
            "notes": list(self.notes),
        }


@dataclass(frozen=True, slots=True)
class WatchReport:
    """The rounds of all environments. ``failed``: those that had none, with the reason, by ``app/environment``.

    ``broken``: the findings of policy files that cannot be read.
    """

    at: datetime
    rounds: tuple[RoundReport, ...]
    failed: dict[str, str]
    broken: tuple[Finding, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def findings(self) -> tuple[Finding, ...]:
        """All of them, pages first, each once."""
        found = {finding.id: finding for round in self.rounds for finding in round.findings}
        found |= {finding.id: finding for finding in self.broken}
        return in_order(found.values())

    @property
    def is_ok(self) -> bool:
        """Was every environment looked at, and nothing found that wakes anybody?"""
        return not self.failed and not self.broken and all(round.is_ok for round in self.rounds)

    def as_json(self) -> dict[str, object]:
        """As ``holdfast watch --json`` prints it."""
        return {
            "at": self.at.isoformat(),
            "findings": [finding.as_json() for finding in self.findings],
            "rounds": [round.as_json() for round in self.rounds],
            "failed": dict(self.failed),
            "notes": list(self.notes),
        }


def in_order(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    """Pages first, then by id."""
    return tuple(sorted(findings, key=lambda finding: (finding.severity != "page", finding.id)))

"""When an event that was reported once, such as a failed run, is made good: the store shows what came after it."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta

from holdfast.policy import EnvironmentPolicy
from holdfast.watch.facts import EnvironmentFacts
from holdfast.watch.finding import Finding
from holdfast.watch.state.records import Alert

_OVER = timedelta(days=1)
"""What leaves no trace, or has no schedule by which it comes again, is over after a day: it was said."""


def open_events(alert: Alert, facts: EnvironmentFacts, policy: EnvironmentPolicy, now: datetime) -> tuple[Finding, ...]:
    """Those of an alert's events that nothing in the store has made good yet."""
    return tuple(event for event in alert.events if not _is_over(alert, event, facts, policy, now))


def _is_over(alert: Alert, event: Finding, facts: EnvironmentFacts, policy: EnvironmentPolicy, now: datetime) -> bool:
    name = event.thread.rpartition("/")[2]
    after = max(alert.raised_at, event.since or alert.raised_at)
    if any(done > after for done in _done(name, facts)):
        return True
    tiers = {str(tier): section for tier, section in policy.tiers.items()}
    is_scheduled = name in tiers and tiers[name].schedule is not None
    return not is_scheduled and now - after >= _OVER


def _done(tier: str, facts: EnvironmentFacts) -> Iterator[datetime]:
    """When the tier's work ended each time that is known of."""
    yield from (point.committed_at for point in facts.points if point.tier == tier)
    yield from (tried.finished_at for tried in facts.tried if tried.kind == tier)
    yield from (checked.checked_at for checked in facts.checked if checked.kind == tier)
    if tier == "watch":
        # Whoever asks is watching again.
        yield facts.read_at
    if tier == "wal" and facts.wal is not None:
        yield from (at for at in (facts.wal.status_at, facts.wal.newest_at) if at is not None)

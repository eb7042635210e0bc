"""Since when each tier has the schedule that it has, so that a policy's edit makes nothing look missed."""

from __future__ import annotations

from datetime import datetime, timedelta

from holdfast.policy import EnvironmentPolicy
from holdfast.watch.facts import EnvironmentFacts, ScheduleFacts

_CLOCKS_DIFFER = timedelta(hours=1)


def seen_schedules(
    policy: EnvironmentPolicy, now: datetime, known: EnvironmentFacts | None
) -> tuple[ScheduleFacts, ...]:
    """Every tier with its schedule; ``since`` is ``now`` where an earlier look (``known``) saw another one."""
    before = {each.tier: each for each in known.schedules} if known is not None else {}
    # The facts of an older version know no schedules at all: that is no change of theirs.
    first = None if not before else now
    return tuple(_seen(tier, text, before.get(tier), first, now) for tier, text in _texts(policy))


def _seen(tier: str, text: str, before: ScheduleFacts | None, first: datetime | None, now: datetime) -> ScheduleFacts:
    if before is not None and before.schedule == text:
        if before.since is not None and before.since - now > _CLOCKS_DIFFER:
            # First seen by a clock that was ahead: nothing would be demanded until that time comes.
            return before.model_copy(update={"since": now})
        return before
    return ScheduleFacts(tier=tier, schedule=text, since=first)


def _texts(policy: EnvironmentPolicy) -> list[tuple[str, str]]:
    return [
        (tier, f"{part.schedule} {policy.timezone}" if part.schedule else "") for tier, part in policy.tiers.items()
    ]

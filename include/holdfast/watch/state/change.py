"""Which facts are worth another record: what tells as much as those that are remembered already is not written."""

from __future__ import annotations

from datetime import datetime, timedelta

from holdfast.watch.facts import EnvironmentFacts
from holdfast.watch.state.records import WatchRecord

_ANEW = timedelta(days=1)
# What moves with every look, and is looked at anew by each round anyway.
_MOVING = {"read_at", "wal", "space", "unfinished"}
_LASTING_OF_WAL = {"system_identifier", "lost", "gaps", "faults", "healed_faults"}


def kept_facts(before: WatchRecord, facts: EnvironmentFacts, now: datetime) -> EnvironmentFacts | None:
    """The facts to remember: the new ones where they say more, and once a day; those of a blind round never."""
    if facts.away:
        return before.facts
    if before.facts is None or abs(now - before.facts.read_at) >= _ANEW:
        return facts
    return before.facts if _essence(before.facts) == _essence(facts) else facts


def _essence(facts: EnvironmentFacts) -> tuple[object, ...]:
    return (
        facts.model_dump(exclude=_MOVING),
        facts.wal.model_dump(include=_LASTING_OF_WAL) if facts.wal is not None else None,
        [sample.at.date() for sample in facts.space],
        [point.id for point in facts.unfinished],
    )

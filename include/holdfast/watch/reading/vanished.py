"""Restore points that were there, are to be kept still, and are gone: expire deletes none before its time."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime, timedelta

from holdfast.policy import EnvironmentPolicy
from holdfast.policy.model import DUMP_TIERS
from holdfast.values.duration import Duration
from holdfast.values.ids import RestorePointId
from holdfast.watch.facts import EnvironmentFacts, FaultyPoint
from holdfast.watch.reading.round import fault

# The host that expires may have another clock.
_CLOCKS = timedelta(hours=1)


def vanished(
    known: EnvironmentFacts | None, standing: Collection[str], policy: EnvironmentPolicy, now: datetime
) -> tuple[FaultyPoint, ...]:
    """Those of ``known``, or known to be gone by then, that are not among the ids ``standing`` before their time."""
    if known is None:
        return ()
    keeps = {str(name): tier.keep for name, tier in policy.tiers.items() if name in DUMP_TIERS}
    before = {point.id for point in known.points if point.tier in keeps}
    before |= {point.id for point in known.vanished if point.tier in keeps}
    return tuple(
        _gone(id, keeps[id.tier])
        for id in map(RestorePointId.parse, sorted(before - {*standing}))
        if _is_kept(id, keeps[id.tier], now)
    )


def _is_kept(id: RestorePointId, keep: Duration | None, now: datetime) -> bool:
    return keep is None or keep.after(id.opened_at) - _CLOCKS > now


def _gone(id: RestorePointId, keep: Duration | None) -> FaultyPoint:
    until = f"{keep.after(id.opened_at):%Y-%m-%d}" if keep is not None else "for ever"
    return fault(id, "artifact_missing", f"restore point {id} is gone from the store; it was to be kept until {until}")

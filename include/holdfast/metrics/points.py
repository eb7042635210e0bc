"""What a store holds of each tier, and how much of the past would be lost now, as samples."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from datetime import datetime

from holdfast.metrics.sample import Sample, age, samples_at
from holdfast.policy import EnvironmentPolicy
from holdfast.policy.model import DUMP_TIERS
from holdfast.watch.facts import EnvironmentFacts, PointFacts, TriedFacts

_POINT_TIERS = (*DUMP_TIERS, "base_backup", "media")


def target_samples(facts: EnvironmentFacts, policy: EnvironmentPolicy, now: datetime) -> Iterator[Sample]:
    """Recovery point and recovery time: what the policy demands, and how it is."""
    targets = policy.targets
    measured = max((tried for tried in facts.tried if tried.rto_seconds is not None), key=_finished_at, default=None)
    kept_until = _kept_until(facts)
    yield from samples_at(
        (facts.app, facts.environment),
        {
            "rpo_target_seconds": targets.rpo.as_seconds if targets.rpo is not None else None,
            "rpo_actual_seconds": age(kept_until, now),
            "rto_target_seconds": targets.rto.as_seconds if targets.rto is not None else None,
            "rto_actual_seconds": measured.rto_seconds if measured is not None else None,
        },
    )


def _kept_until(facts: EnvironmentFacts) -> datetime | None:
    """The newest instant that can be restored; where nothing can, when the environment's first trace was left."""
    kept = [point.opened_at for point in facts.points if point.tier in DUMP_TIERS]
    wal = facts.wal
    if wal is not None and wal.caught_up_at is not None:
        bases = [point.opened_at for point in facts.points if point.tier == "base_backup"]
        # WAL alone restores nothing.
        kept += [wal.caught_up_at] if bases and min(bases) <= wal.caught_up_at else []
    return max(kept, default=facts.since)


def point_samples(facts: EnvironmentFacts, policy: EnvironmentPolicy, now: datetime) -> Iterator[Sample]:
    """How many points there are of each tier that the policy has or the store knows, and what the newest is like."""
    place = (facts.app, facts.environment)
    faulty = Counter(point.tier for point in facts.faulty)
    unfinished = Counter(point.tier for point in facts.unfinished)
    newest = {point.tier: point for point in sorted(facts.points, key=lambda point: point.opened_at)}
    declared = [tier for tier in policy.tiers if tier in _POINT_TIERS]
    for tier in dict.fromkeys([*declared, *newest, *facts.counts, *faulty, *unfinished]):
        yield from samples_at(
            place,
            {
                "restore_points": facts.counts.get(tier, 0),
                "restore_points_faulty": faulty[tier],
                "restore_points_unfinished": unfinished[tier],
            },
            tier,
        )
        if tier in newest:
            yield from _newest(place, newest[tier], now)


def _newest(place: tuple[str, str], point: PointFacts, now: datetime) -> Iterator[Sample]:
    yield from samples_at(
        place,
        {
            "restore_point_timestamp_seconds": point.opened_at.timestamp(),
            "restore_point_age_seconds": age(point.opened_at, now),
            "restore_point_duration_seconds": point.seconds,
            "restore_point_bytes": point.bytes,
            "restore_point_rows": point.rows,
        },
        point.tier,
    )


def _finished_at(tried: TriedFacts) -> datetime:
    return tried.finished_at

"""Backups that never started, and those that started and do not come to an end."""

from __future__ import annotations

import statistics
from collections.abc import Iterable
from datetime import datetime, timedelta

from holdfast.policy.model import DUMP_TIERS
from holdfast.policy.slots import Slot, last_slot, next_slot
from holdfast.watch.facts import FaultyPoint, PointFacts, UnfinishedPoint
from holdfast.watch.finding import Finding
from holdfast.watch.judging.case import Case, Findings, age

DATA_TIERS = (*DUMP_TIERS, "base_backup", "media")
"""The tiers whose runs commit a point; the others leave evidence, records of checks, or WAL."""

_EARLY = timedelta(minutes=10)


def judge_schedule(case: Case) -> Findings:
    """never_started and late, for every tier that commits points."""
    nothing = _nothing_at_all(case)
    if nothing is not None:
        yield nothing
    for tier in filter(case.has, DATA_TIERS):
        if nothing is None or tier != nothing.subject:
            yield from _never_started(case, tier)
        yield from _late(case, tier)


def usual_run(points: Iterable[PointFacts]) -> timedelta:
    """How long a run takes in the median until its point is committed, with what it verifies; nothing if unknown."""
    took = [(point.committed_at - point.opened_at).total_seconds() for point in points]
    return timedelta(seconds=max(0.0, statistics.median(took))) if took else timedelta()


def early(schedule: str, timezone: str, slot: Slot) -> timedelta:
    """How long before its time a run still counts as the one that was due."""
    following = next_slot(schedule, timezone, slot.due_at)
    return min(_EARLY, (following.opens_at - slot.opens_at) / 4) if following is not None else _EARLY


def advice_to_run(case: Case, tier: str) -> str:
    """How a point of the tier is taken by hand."""
    by_hand = {
        "base_backup": case.command("base-backup"),
        "media": case.command("media sync"),
    }.get(tier, case.command("backup", tier))
    return (
        f"Look whether the scheduler runs and the DAG {case.dag(tier)} is there, unpaused and without an import error; "
        f"trigger it, or run {by_hand}. {case.who('on_call')} decides whether a restore point is needed right now."
    )


def _nothing_at_all(case: Case) -> Finding | None:
    """The finding of an environment that is to have restore points and has none, and none coming."""
    tier = next((tier for tier in DUMP_TIERS if case.has(tier)), None)
    coming = any(case.now - opened <= case.late_after for opened in _opened(case, DUMP_TIERS))
    known = {point.tier for point in case.facts.points} | {point.tier for point in case.facts.faulty}
    # Of what cannot be trusted, nothing is known but that it is there.
    known |= {each for each, count in case.facts.counts.items() if count}
    if tier is None or coming or known.intersection(DUMP_TIERS):
        return None
    place = f"{case.facts.app} {case.facts.environment}"
    return case.finding(
        "never_started",
        tier,
        f"{place} has no restore point at all: no committed backup is in its store",
        since=case.facts.since,
        meaning="If the database were lost now, nothing could be restored.",
        advice="Were there any, a disk that is not mounted, another url and a deletion look the same. "
        + advice_to_run(case, tier),
        tier=tier,
    )


def _never_started(case: Case, tier: str) -> Findings:
    schedule, zone = case.schedule(tier), case.policy.timezone
    slot = last_slot(schedule, zone, case.now - case.late_after) if schedule is not None else None
    if schedule is None or slot is None:
        return
    since = case.demanded_since(tier)
    if (since is None and any(map(case.has, DUMP_TIERS))) or (since is not None and slot.opens_at < since):
        return
    opened = sorted(_opened(case, (tier,)))
    if case.facts.counts.get(tier) and all(each.tier != tier for each in _known(case)):
        # They are there, and nothing of them can be trusted on this host: that is another finding.
        return
    if opened and opened[-1] >= slot.opens_at - early(schedule, zone, slot):
        return
    missed = next_slot(schedule, zone, opened[-1] + _EARLY) if opened else None
    first = min(missed.due_at, slot.due_at) if missed is not None else slot.due_at
    before = f"; the last one started {case.when(opened[-1])}" if opened else "; there never was one"
    yield case.finding(
        "never_started",
        tier,
        f"the {tier} backup due at {case.when(slot.due_at)} has not started, "
        f"{age(case.now - slot.due_at)} after its time{before}",
        since=first,
        meaning="Nothing runs that would report a failure, and the newest restore point grows older.",
        advice=advice_to_run(case, tier),
        tier=tier,
    )


def _opened(case: Case, tiers: Iterable[str]) -> list[datetime]:
    """When runs of some tiers opened their points, whatever became of them."""
    return [each.opened_at for each in _known(case) if each.tier in tiers and case.is_past(each.opened_at)]


def _known(case: Case) -> tuple[PointFacts | UnfinishedPoint | FaultyPoint, ...]:
    return (*case.facts.points, *case.facts.unfinished, *case.facts.faulty)


def _late(case: Case, tier: str) -> Findings:
    points = case.points(tier)
    newest = points[-1].opened_at if points else None
    allowed = max(case.late_after, 3 * usual_run(points))
    open_ones = [each for each in case.facts.unfinished if each.tier == tier]
    late = [each for each in open_ones if (newest is None or each.opened_at > newest) and _is_late(case, each, allowed)]
    if not late:
        return
    first = min(late, key=lambda each: each.opened_at)
    usual = f", usually it takes {age(usual_run(points))}" if points else ""
    yield case.finding(
        "late",
        tier,
        f"the {tier} backup {first.id}, opened {case.when(first.opened_at)}, is not committed after "
        f"{age(case.now - first.opened_at)}{usual}; it last wrote {case.when(first.last_written_at)}",
        since=first.opened_at,
        meaning="What is not committed cannot be restored; the run hangs, was ended, or waits to be tried again.",
        advice=f"Read the log of the newest run of {case.dag(tier)}: the task that is red or running is the cause. "
        f"Where it is gone, take another: {case.command('backup', tier) if tier in DUMP_TIERS else case.dag(tier)}.",
        tier=tier,
        # Nobody counts on one that was begun by hand and given up: who began it is told by its run.
        severity=None if case.schedule(tier) is not None else "notify",
    )


def _is_late(case: Case, each: UnfinishedPoint, allowed: timedelta) -> bool:
    return case.now - each.opened_at > allowed

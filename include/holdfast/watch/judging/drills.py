"""Drills and checks that failed, or were not held when they were due."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta

from holdfast.policy.slots import Slot, last_slot, next_slot
from holdfast.watch.facts import TriedFacts
from holdfast.watch.judging.case import Case, Findings, age, sentence

_DRILLS = ("restore_drill", "pitr_drill", "pitr_check")
# Of a due drill or check, these count as it: what a person does is more than what runs by itself.
_COUNTS_AS = {"restore_drill": ("restore_drill",), "pitr_check": ("pitr_check", "pitr_drill")}
_GRACE = {"restore_drill": timedelta(days=3), "pitr_check": timedelta(days=1)}
# Somebody who holds a drill on the eve of its day has held it.
_EARLY = timedelta(days=1)


def judge_drills(case: Case) -> Findings:
    """drill_failed and drill_overdue, for restore drills and for recoveries to an instant."""
    for kind in _DRILLS:
        tried = [each for each in case.facts.tried if each.kind == kind]
        newest = max(tried, key=lambda each: (each.finished_at, each.id), default=None)
        if newest is not None and newest.verdict == "failed":
            yield from _failed(case, newest)
    for tier, counting in _COUNTS_AS.items():
        yield from _overdue(case, tier, [each for each in case.facts.tried if each.kind in counting])


def overdue_slot(case: Case, tier: str, grace: timedelta) -> Slot | None:
    """The last time of a tier's schedule whose grace has passed; None where nothing was due since it is known.

    A schedule that comes often has but half its period as grace.
    """
    schedule, since = case.schedule(tier), case.demanded_since(tier)
    if schedule is None or since is None:
        return None
    zone = case.policy.timezone
    newest = last_slot(schedule, zone, case.now)
    following = next_slot(schedule, zone, newest.due_at) if newest is not None else None
    if newest is not None and following is not None:
        grace = min(grace, (following.opens_at - newest.due_at) / 2)
    slot = last_slot(schedule, zone, case.now - max(grace, timedelta(0)))
    return slot if slot is not None and slot.opens_at >= since else None


def newest_of(moments: Iterable[datetime]) -> datetime | None:
    """The newest of some moments."""
    return max(moments, default=None)


def _failed(case: Case, tried: TriedFacts) -> Findings:
    why = f": {sentence(tried.faults)}" if tried.faults else ""
    yield case.finding(
        "drill_failed",
        tried.kind,
        f"{tried.kind} {tried.id} of {tried.restore_point} failed, ended {case.when(tried.finished_at)}{why}",
        since=tried.finished_at,
        meaning="A restore in earnest would meet the same, or the drill's own environment is not as it must be.",
        advice=f"{case.command('evidence show', tried.id)} says which step failed and why; it tells a lack of disk or "
        f"of a program from a damaged backup. {case.who('database_admin')} judges the data. Mended? Trigger "
        f"{case.dag(tried.kind)} again.",
        tier=tried.kind,
    )


def _overdue(case: Case, tier: str, tried: list[TriedFacts]) -> Findings:
    slot = overdue_slot(case, tier, _GRACE[tier])
    if slot is None:
        return
    held = [each for each in tried if each.opened_at >= slot.opens_at - _EARLY]
    if any(each.is_closed for each in held):
        return
    last = newest_of(each.finished_at for each in tried if each.is_closed)
    before = f"the last one ended {case.when(last)}" if last is not None else "there never was one"
    state = "waits for somebody's agreement" if held else "was not held"
    yield case.finding(
        "drill_overdue",
        tier,
        f"the {tier} due at {case.when(slot.due_at)} {state}, {age(case.now - slot.due_at)} after its time; {before}",
        since=slot.due_at,
        meaning="Whether this environment can be restored, and how long it takes, is known for an older state only.",
        advice=f"{case.who('team_lead')} answers at the gate of {case.dag(tier)}; docs/drill.md says how."
        if held
        else f"Trigger {case.dag(tier)}, or run {case.command('drill', '--pitr' if tier == 'pitr_check' else '')}. "
        "Is it missing in Airflow, look for a paused DAG and for a worker of the queue recovery.",
        tier=tier,
    )

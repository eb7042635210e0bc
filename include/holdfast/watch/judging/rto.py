"""Restores that take longer than the policy's RTO, or soon will."""

from __future__ import annotations

import math
from datetime import datetime, timedelta

from holdfast.values import figures
from holdfast.watch.facts import HISTORY, TriedFacts
from holdfast.watch.judging.case import Case, Findings
from holdfast.watch.judging.robust import trend

_KINDS = ("restore_drill", "restore_check", "pitr_drill", "pitr_check")
_LEAST = 5
_LEAST_SPAN = timedelta(days=4)
_AHEAD = timedelta(days=30)
_STEADY = 0.75
_GROWN = 0.2


def judge_rto(case: Case) -> Findings:
    """rto_exceeded: by the newest measurement of each kind of restore, or by the trend of the last ones."""
    if case.policy.targets.rto is None:
        return
    target = float(case.policy.targets.rto.as_seconds)
    for kind in _KINDS:
        measured = sorted((each for each in case.facts.tried if each.kind == kind and _is_known(each)), key=_ended)
        if not measured:
            continue
        newest = measured[-1]
        took = newest.rto_seconds or 0.0
        if took > target:
            text = (
                f"{kind} {newest.id} needed {figures.seconds(took)} until the application could have run again; "
                f"the RTO is {case.policy.targets.rto}"
            )
            yield from _found(case, kind, text, newest.finished_at)
            continue
        crossing = _crossing(measured[-HISTORY:], target)
        if crossing is not None:
            first, last = measured[-HISTORY:][0], figures.seconds(took)
            text = (
                f"{kind} takes longer and longer: {figures.seconds(first.rto_seconds or 0.0)} on "
                f"{case.when(first.finished_at)}, {last} now; in about {crossing.days} d it passes the RTO of "
                f"{case.policy.targets.rto}"
            )
            yield from _found(case, kind, text, None)


def _found(case: Case, kind: str, text: str, since: datetime | None) -> Findings:
    yield case.finding(
        "rto_exceeded",
        kind,
        text,
        since=since,
        meaning="In an emergency the application would be away for longer than was agreed.",
        advice="The evidence shows how long each step took: more CPUs for `restore --jobs`, a faster disk for the "
        f"recovery, less data in the database. {case.who('team_lead')} decides whether the target still fits.",
        tier=kind,
    )


def _crossing(measured: list[TriedFacts], target: float) -> timedelta | None:
    """In how long the trend passes the target; None where it does not within the time looked ahead.

    The trend must be steady, and have made a difference, before it is believed.
    """
    span = measured[-1].finished_at - measured[0].finished_at
    if len(measured) < _LEAST or span < _LEAST_SPAN:
        return None
    found = trend([(each.finished_at.timestamp(), each.rto_seconds or 0.0) for each in measured])
    if found is None or found.slope <= 0 or found.steadiness < _STEADY:
        return None
    if found.slope * span.total_seconds() < _GROWN * found.level:
        return None
    left = found.reaches(target)
    return timedelta(seconds=left) if left is not None and left <= _AHEAD.total_seconds() else None


def _is_known(tried: TriedFacts) -> bool:
    return tried.rto_seconds is not None and math.isfinite(tried.rto_seconds) and tried.rto_seconds >= 0


def _ended(tried: TriedFacts) -> datetime:
    return tried.finished_at

"""Restore points that nobody has proved in time, or that were tried and do not restore."""

from __future__ import annotations

import statistics
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from holdfast.policy.model import DUMP_TIERS
from holdfast.policy.slots import last_slot
from holdfast.values.ids import RestorePointId
from holdfast.watch.facts import PointFacts
from holdfast.watch.judging.case import Case, Findings, age, sentence

_CHECK_WITHIN = timedelta(hours=6)
_PROVED_WITHIN = timedelta(days=7)
_CHECK = "restore_check"


@dataclass(frozen=True, slots=True)
class _Check:
    """A restore of a restore point that has come to an end."""

    at: datetime
    is_passed: bool
    restore_point: str
    faults: tuple[str, ...]


def judge_proofs(case: Case) -> Findings:
    """restore_check_failed, restore_check_overdue, and verification_overdue of restore points."""
    for tier in filter(case.has, DUMP_TIERS):
        checks = sorted(_checks(case, tier), key=lambda check: check.at)
        if checks and not checks[-1].is_passed:
            yield from _failed(case, tier, checks[-1])
        if case.has(_CHECK):
            yield from _check_overdue(case, tier, checks)
        yield from _unread(case, tier)


def _checks(case: Case, tier: str) -> Iterable[_Check]:
    """Every known restore check of a tier's points: as the points remember it, and as its evidence says."""
    for point in case.points(tier):
        if point.restore_check is not None and point.restore_checked_at is not None:
            is_passed = point.restore_check == "passed"
            yield _Check(point.restore_checked_at, is_passed, point.id, point.restore_check_faults)
    for tried in case.facts.tried:
        id = RestorePointId.recognised(tried.restore_point) if tried.kind == _CHECK else None
        if id is not None and id.tier == tier:
            yield _Check(tried.finished_at, tried.verdict == "passed", tried.restore_point, tried.faults)


def _failed(case: Case, tier: str, check: _Check) -> Findings:
    why = f": {sentence(check.faults)}" if check.faults else ""
    yield case.finding(
        "restore_check_failed",
        tier,
        f"{tier} restore point {check.restore_point} did not pass its restore check of {case.when(check.at)}{why}",
        since=check.at,
        meaning="It was restored, and is not what was backed up: it must not be counted on. No newer one of the tier "
        "has passed since.",
        advice=f"Read what it found: {case.command('evidence list')}. Is an earlier one good, hold it: "
        f"{case.command('hold add', 'ID')}. Take a new one ({case.command('backup', tier)}) and try it: "
        f"{case.command('drill', 'ID')}. {case.who('database_admin')} judges the data.",
        tier=tier,
        dag=_CHECK,
    )


def _check_overdue(case: Case, tier: str, checks: list[_Check]) -> Findings:
    newest = max((check.restore_point for check in checks), default="")
    declared = case.declared_since(_CHECK)
    waiting = [
        point
        for point in case.points(tier)
        # Ids of a tier sort by time. What is older than the promise was never promised.
        if point.restore_check is None and point.id > newest and (declared is None or point.committed_at >= declared)
    ]
    # Where nothing of the tier was ever tried, the check may be new to it: the newest alone is asked for.
    waiting = waiting if newest or declared is not None else waiting[-1:]
    if not waiting or not _is_due(case, waiting[0], checks):
        return
    first = waiting[0]
    yield case.finding(
        "restore_check_overdue",
        tier,
        f"{tier} restore point {first.id}, committed {case.when(first.committed_at)}, has not been restored and "
        f"compared after {age(case.now - first.committed_at)}"
        + (f"; {len(waiting)} wait for it" if len(waiting) > 1 else ""),
        since=first.committed_at,
        meaning="A restore point that was not restored, counted and compared is not called a backup.",
        advice=f"Does the DAG {case.dag(_CHECK)} run, and does a worker take tasks of the queue recovery? "
        f"{case.command('drill', first.id)} tries it by hand.",
        tier=tier,
        dag=_CHECK,
    )


def _is_due(case: Case, first: PointFacts, checks: list[_Check]) -> bool:
    """Whether a check should have ended by now: hours after the commit, or after the check's own schedule."""
    took = [
        (point.restore_checked_at - point.committed_at).total_seconds()
        for point in case.points(first.tier)
        if point.restore_checked_at is not None
    ]
    schedule = case.schedule(_CHECK)
    if schedule is None:
        usual = timedelta(seconds=max(0.0, statistics.median(took))) if took else timedelta()
        return case.now - first.committed_at > max(_CHECK_WITHIN, 3 * usual)
    slot = last_slot(schedule, case.policy.timezone, case.now - max(_CHECK_WITHIN, case.late_after))
    since = case.demanded_since(_CHECK)
    if slot is None or since is None or slot.opens_at < since or first.committed_at > slot.opens_at:
        return False
    return not any(check.at >= slot.opens_at for check in checks)


def _unread(case: Case, tier: str) -> Findings:
    """Points that no host with an identity has opened: a host that takes backups need not have one."""
    tried = {each.restore_point for each in case.facts.tried}
    unread: list[PointFacts] = []
    for point in reversed(case.points(tier)):
        if point.is_decrypted or point.restore_check is not None or point.id in tried:
            break
        unread.append(point)
    if not unread or case.now - unread[-1].committed_at <= _PROVED_WITHIN:
        return
    first = unread[-1]
    yield case.finding(
        "verification_overdue",
        tier,
        f"{tier} restore point {first.id}, committed {case.when(first.committed_at)}, was never decrypted anywhere, "
        f"{'and none since' if len(unread) > 1 else 'nor restored'}",
        since=first.committed_at,
        meaning="Whether the identity that is kept opens what is stored is not known until somebody tries.",
        advice=f"On a host with the identity: {case.command('verify', unread[0].id)}, which tells whether it opens; "
        f"and {case.command('drill', unread[0].id)}, whose evidence says so here. A tier `restore_check` does it for "
        "each new one.",
        tier=tier,
    )

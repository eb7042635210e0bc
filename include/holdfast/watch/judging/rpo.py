"""Restore points that have become older than the policy's RPO allows."""

from __future__ import annotations

from datetime import datetime, timedelta

from holdfast.policy.model import DUMP_TIERS
from holdfast.policy.slots import next_slot
from holdfast.watch.facts import PointFacts
from holdfast.watch.judging.case import Case, Findings, age
from holdfast.watch.judging.schedule import advice_to_run, usual_run

# A backup shows the moment in which it begins, and counts when it has ended: so much of the RPO may pass in between.
_TOLERANCE = 1 / 24
# By so much, a day between two nights is longer when the clocks are set back; the schedule is not to blame.
_CLOCK_SET_BACK = timedelta(hours=1)


def judge_rpo(case: Case) -> Findings:
    """rpo_exceeded: of the database, by WAL where it is streamed and by restore points elsewhere, and of media."""
    if case.policy.targets.rpo is None:
        return
    rpo = timedelta(seconds=case.policy.targets.rpo.as_seconds)
    caught_up = _caught_up(case)
    if caught_up is not None:
        yield from _of_wal(case, rpo, caught_up)
    else:
        yield from _of_tiers(case, rpo, DUMP_TIERS, "restore point")
    if caught_up is not None and case.policy.media is not None:
        # Restore points have a media snapshot, too.
        yield from _of_tiers(case, rpo, ("media", *DUMP_TIERS), "point with media")


def _caught_up(case: Case) -> datetime | None:
    """Up to when WAL is stored; None where the database hangs on its restore points."""
    if not case.has("wal") or case.facts.wal is None or not case.points("base_backup"):
        return None
    return case.facts.wal.caught_up_at


def _of_wal(case: Case, rpo: timedelta, caught_up: datetime) -> Findings:
    if case.now - caught_up <= rpo * (1 + _TOLERANCE):
        return
    yield case.finding(
        "rpo_exceeded",
        "wal",
        f"WAL is stored up to {case.when(caught_up)}, {age(case.now - caught_up)} ago; "
        f"the RPO is {case.policy.targets.rpo}",
        since=caught_up + rpo,
        meaning="If the server were lost now, more would be lost with it than was agreed.",
        advice=f"Does {case.dag('wal')} or `holdfast wal stream` run? {case.command('doctor')} names what hinders it.",
        tier="wal",
    )


def _of_tiers(case: Case, rpo: timedelta, tiers: tuple[str, ...], what: str) -> Findings:
    """Any restore point counts, whatever its tier; the tier that is due soonest is the one to look at."""
    unusable = {faulty.id for faulty in case.facts.faulty}
    known = (point for tier in tiers for point in case.points(tier) if point.id not in unusable)
    points = sorted(known, key=lambda point: point.opened_at)
    scheduled = [tier for tier in tiers if case.schedule(tier) is not None]
    if not points or not scheduled:
        return
    newest, tier = points[-1], scheduled[0]
    if case.now - newest.opened_at <= rpo + _allowance(case, rpo, tier, newest):
        return
    yield case.finding(
        "rpo_exceeded",
        tier,
        f"the newest {what}, {newest.id}, shows {case.when(newest.opened_at)} and is "
        f"{age(case.now - newest.opened_at)} old; the RPO is {case.policy.targets.rpo}",
        since=newest.opened_at + rpo,
        meaning="If the data were lost now, more would be lost than was agreed.",
        advice=advice_to_run(case, tier),
        tier=tier,
    )


def _allowance(case: Case, rpo: timedelta, tier: str, newest: PointFacts) -> timedelta:
    """What a healthy schedule needs beyond the RPO: the time of a backup, and the hour of a clock that is set back."""
    schedule = case.schedule(tier)
    # In a store that was copied, every backup seems to have ended when it was copied: that must not put off a page.
    needed = max(rpo * _TOLERANCE, min(3 * usual_run(case.points(tier)), rpo))
    following = next_slot(schedule, case.policy.timezone, newest.opened_at) if schedule is not None else None
    over = (following.due_at - newest.opened_at) - rpo if following is not None else timedelta()
    # A schedule that is rarer than the RPO does not become healthy by being kept.
    return needed + (over if timedelta() < over <= _CLOCK_SET_BACK else timedelta())

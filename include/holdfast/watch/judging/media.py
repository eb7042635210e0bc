"""Media whose stored shards are damaged, or were not read back in time."""

from __future__ import annotations

from datetime import timedelta
from typing import Final

from holdfast.policy.slots import next_slot
from holdfast.watch.facts import CheckedFacts
from holdfast.watch.judging.case import Case, Findings, age, sentence
from holdfast.watch.judging.drills import overdue_slot

_TIER: Final = "media_check"
_GRACE = timedelta(days=1)
_CYCLES = 2


def judge_media(case: Case) -> Findings:
    """media_damaged and media_check_overdue."""
    checks = sorted(
        (check for check in case.facts.checked if check.kind == _TIER), key=lambda check: (check.checked_at, check.id)
    )
    damaged = _standing(checks)
    if damaged is not None:
        yield case.finding(
            "media_damaged",
            _TIER,
            f"the media check of {case.when(damaged.checked_at)} found damage: {sentence(damaged.faults)}",
            since=damaged.checked_at,
            meaning="Files in what is damaged cannot be restored from any snapshot that names it.",
            advice=f"{case.command('media check')} names every file. While the application still has them, "
            f"{case.command('media sync', '--force')} stores them anew; else look for old object versions.",
            tier="media",
            dag=_TIER,
        )
    if case.has(_TIER):
        yield from _overdue(case, checks)


def _standing(checks: list[CheckedFacts]) -> CheckedFacts | None:
    """The newest check that found damage, unless all that it could have read was read well since.

    A check of a fraction says nothing of the rest: only once the content longest unread is newer, all was read again.
    """
    newest = checks[-1] if checks else None
    for check in reversed(checks):
        if not check.faults:
            continue
        if check is newest or newest is None:
            return check
        unread = newest.oldest_unread_at
        return check if unread is not None and unread <= check.checked_at else None
    return None


def _overdue(case: Case, checks: list[CheckedFacts]) -> Findings:
    slot = overdue_slot(case, _TIER, _GRACE)
    newest = checks[-1] if checks else None
    if slot is not None and (newest is None or newest.checked_at < slot.opens_at):
        last = f"the last one was {case.when(newest.checked_at)}" if newest else "there never was one"
        text, since = f"media were not checked at {case.when(slot.due_at)}; {last}", slot.due_at
    elif newest is not None and newest.oldest_unread_at is not None and _is_forgotten(case, newest):
        text = (
            f"media last read {case.when(newest.oldest_unread_at)}, {age(case.now - newest.oldest_unread_at)} ago, "
            "have not been read back since, though checks run"
        )
        since = newest.oldest_unread_at
    else:
        return
    yield case.finding(
        "media_check_overdue",
        _TIER,
        text,
        since=since,
        meaning="Damage of stored files would be found in an emergency only.",
        advice=f"Trigger {case.dag(_TIER)}, or run {case.command('media check')}, which reads all of them. A larger "
        "`fraction` in the policy comes round sooner.",
        tier=_TIER,
    )


def _is_forgotten(case: Case, newest: CheckedFacts) -> bool:
    """Whether something was left out for twice the time in which the checks come round."""
    schedule, zone = case.schedule(_TIER), case.policy.timezone
    first = next_slot(schedule, zone, newest.checked_at) if schedule is not None else None
    second = next_slot(schedule, zone, first.due_at) if schedule is not None and first is not None else None
    if first is None or second is None or newest.oldest_unread_at is None:
        return False
    rounds = 1 / case.policy.tiers[_TIER].fraction
    return case.now - newest.oldest_unread_at > _CYCLES * max(rounds, 1) * (second.due_at - first.due_at) + _GRACE

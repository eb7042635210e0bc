"""New environments, new tiers, edits of policies, and clocks that are wrong."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from holdfast.watch.facts import (
    PointFacts,
    ScheduleFacts,
    UnfinishedPoint,
)
from holdfast.watch.judging import judge
from holdfast.watch.schedules import seen_schedules
from judging_cases import DUMPS_YEAR, NOW, POLICY, YEAR, changed, empty, kinds
from judging_year import DAY, DUMPS, HOUR, MIB, MINUTE, STREAMING


def test_an_environment_without_any_restore_point_is_told_at_once() -> None:
    """Nothing was ever stored: neither a restore point nor WAL; once one is being taken, there is time for it."""
    found = judge(empty(), POLICY, NOW)
    assert {(each.kind, each.subject) for each in found} == {("never_started", "nightly"), ("never_started", "wal")}
    begun = UnfinishedPoint(id="x", tier="nightly", opened_at=NOW - MINUTE, last_written_at=NOW)
    found = judge(empty(unfinished=(begun,), since=NOW - MINUTE), POLICY, NOW)
    assert not found


def test_a_tier_waits_for_its_first_time() -> None:
    """With its first restore point an hour old, nothing else is overdue; by next month, all of it is."""
    opened = NOW - HOUR
    first = PointFacts(
        id="x", tier="nightly", opened_at=opened, committed_at=opened + MINUTE, seconds=60, bytes=MIB, is_decrypted=True
    )
    facts = empty(points=(first,), since=opened, wal=YEAR.facts(NOW).wal)
    assert not judge(facts, POLICY, NOW)
    later = {(each.kind, each.subject) for each in judge(facts, POLICY, NOW + 100 * DAY)}
    assert {("never_started", tier) for tier in ("nightly", "monthly", "media", "base_backup")} <= later
    assert {("drill_overdue", "restore_drill"), ("drill_overdue", "pitr_check")} <= later
    assert {("media_check_overdue", "media_check"), ("verification_overdue", "wal_check")} <= later


@pytest.mark.parametrize("schedule", ["0 9 * * *", "0 2,10 * * *", "*/30 * * * *"])
def test_an_edited_schedule_makes_nothing_look_missed(schedule: str) -> None:
    """The new time was before the edit; its next one, if nothing runs then, is missed."""
    edited = changed(STREAMING, tiers={**STREAMING["tiers"], "nightly": {"schedule": schedule, "keep": "35d"}})  # type: ignore[dict-item]
    known = YEAR.facts(NOW - DAY).model_copy(update={"schedules": seen_schedules(POLICY, NOW - DAY, None)})
    facts = YEAR.facts(NOW).model_copy(update={"schedules": seen_schedules(edited, NOW, known)})
    assert not judge(facts, edited, NOW)
    assert "never_started" in kinds(judge(facts, edited, NOW + 26 * HOUR))
    assert "never_started" in kinds(judge(YEAR.facts(NOW), edited, NOW)), "without its memory it would look missed"


def test_a_schedule_is_remembered_from_its_first_sight() -> None:
    """The first look knows no beginning; the same schedule keeps it, another one begins now."""
    first = seen_schedules(POLICY, NOW, None)
    assert ScheduleFacts(tier="nightly", schedule="0 2 * * * Europe/Berlin", since=None) in first
    known = empty(schedules=first)
    assert seen_schedules(POLICY, NOW + DAY, known) == first
    other = seen_schedules(changed(STREAMING, timezone="UTC"), NOW + DAY, known)
    assert {each.since for each in other if each.schedule} == {NOW + DAY}


def test_points_that_cannot_be_trusted_here_are_not_missing() -> None:
    """Without a verify key nothing is known of them but that they are there; nothing says that none ever was."""
    policy, facts = changed(DUMPS), empty(since=NOW - 400 * DAY)
    assert "never_started" in kinds(judge(facts, policy, NOW))
    there = facts.model_copy(update={"counts": {str(tier): 3 for tier in policy.tiers}})
    assert "never_started" not in kinds(judge(there, policy, NOW))


def test_a_store_that_was_copied_hides_no_exceeded_rpo() -> None:
    """By its clock every backup ended days after it began, which is no usual time of a backup."""
    policy = changed(DUMPS, targets={"rpo": "1h"}, tiers={"nightly": {"schedule": "0 2 * * *", "keep": "35d"}})
    points = tuple(
        PointFacts(
            id=f"2026061{day}",
            tier="nightly",
            opened_at=NOW - 20 * HOUR - day * DAY,
            committed_at=NOW,
            seconds=9,
            bytes=MIB,
            is_decrypted=True,
        )
        for day in reversed(range(5))
    )
    assert "rpo_exceeded" in kinds(judge(empty(since=NOW - 6 * DAY, points=points), policy, NOW))


def test_a_clock_that_was_ahead_puts_no_demand_off() -> None:
    """An edit that was first seen by a host years ahead counts from when a right clock sees it."""
    edited = changed(STREAMING, tiers={**STREAMING["tiers"], "nightly": {"schedule": "0 9 * * *", "keep": "35d"}})  # type: ignore[dict-item]
    known = empty(schedules=seen_schedules(POLICY, NOW - DAY, None))
    ahead = empty(schedules=seen_schedules(edited, NOW + 3650 * DAY, known))
    seen = {each.tier: each.since for each in seen_schedules(edited, NOW, ahead)}
    assert seen["nightly"] == NOW


def test_a_weekly_tier_is_missed_after_a_week() -> None:
    """With one point at a time, as a week's retention leaves it, and no RPO."""
    policy = changed(DUMPS, targets={}, tiers={"nightly": {"schedule": "0 2 * * 0", "keep": "7d"}})
    sunday = datetime(2026, 6, 14, tzinfo=UTC)
    point = PointFacts(
        id="x", tier="nightly", opened_at=sunday, committed_at=sunday + MINUTE, seconds=9, bytes=MIB, is_decrypted=True
    )
    facts = empty(points=(point,), since=sunday - 60 * DAY)
    assert not judge(facts, policy, sunday + 7 * DAY + 50 * MINUTE)
    assert kinds(judge(facts, policy, sunday + 7 * DAY + 61 * MINUTE)) == {"never_started"}


def test_a_clock_that_was_ahead_hides_nothing() -> None:
    """A point from next year is no restore point of this night."""
    facts = DUMPS_YEAR.facts(NOW)
    ahead = facts.points[0].model_copy(update={"tier": "nightly", "opened_at": NOW + 300 * DAY})
    kept = tuple(point for point in facts.points if point.opened_at < NOW - 2 * DAY)
    found = judge(facts.model_copy(update={"points": (*kept, ahead)}), DUMPS_YEAR.policy, NOW)
    assert {"never_started", "rpo_exceeded"} <= kinds(found)

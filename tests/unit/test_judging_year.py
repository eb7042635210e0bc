"""A healthy year raises nothing at all, and a fault of any moment of it is found within a round."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta

import pytest

from holdfast.watch.finding import SEVERITIES, Finding
from holdfast.watch.judging import judge
from judging_faults import FAULTS, Fault, Planted
from judging_year import BEGINS, DUMPS, ENDS, STREAMING, make_year

# The clocks of Berlin go forward, and back.
CHANGES = [datetime(2026, 3, 28, 12, tzinfo=UTC), datetime(2026, 10, 24, 12, tzinfo=UTC)]


@pytest.mark.parametrize("fields", [STREAMING, DUMPS])
@pytest.mark.parametrize("begins", CHANGES)
def test_a_change_of_the_clock_pages_nobody(fields: dict[str, object], begins: datetime) -> None:
    """Every quarter of an hour from the noon before until two days later."""
    year = make_year(fields, 5)
    for round_ in range(4 * 48):
        now = begins + timedelta(minutes=15 * round_)
        found = judge(year.facts(now), year.policy, now)
        assert not found, (now, [finding.text for finding in found])


@pytest.mark.parametrize(("fields", "seed"), [(STREAMING, 1), (STREAMING, 2), (DUMPS, 3)])
def test_a_healthy_year_pages_nobody(fields: dict[str, object], seed: int) -> None:
    """Jitter, retries, growth, holidays and both changes of the clock: no finding of any severity, at any round."""
    year = make_year(fields, seed)
    now, rounds = BEGINS + timedelta(minutes=seed * 7), 0
    while now < ENDS:
        found = judge(year.facts(now), year.policy, now)
        assert not found, (now, [finding.text for finding in found])
        # Not the same minutes of each day, so that every hour of it is seen in the year.
        now += timedelta(hours=10, minutes=13)
        rounds += 1
    assert rounds > 850


YEARS = {id(fields): make_year(fields, 6) for fields in (STREAMING, DUMPS)}
ROUND = timedelta(minutes=15)


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name)
def test_a_fault_is_found_within_a_round_and_gone_once_mended(fault: Fault) -> None:
    """At moments drawn from the year: nothing before its time, one thread of findings then, the same id, and an end."""
    for seed in range(4):
        dice = random.Random(f"{fault.name} {seed}")
        planted = fault.plant(YEARS[id(fault.fields)], BEGINS + timedelta(days=dice.uniform(5, 240)))

        def found(at: datetime, planted: Planted = planted) -> list[Finding]:
            return list(judge(planted.year.facts(at), planted.year.policy, at))

        assert (planted.kind, planted.subject) not in named(found(planted.found_at - timedelta(seconds=1)))
        first = found(planted.found_at + ROUND)
        assert (planted.kind, planted.subject) in named(first), planted
        assert len({finding.thread for finding in first}) == 1, first
        last = found(max(planted.found_at + ROUND, planted.gone_at - timedelta(seconds=1)))
        of_kind = [[each for each in some if each.kind == planted.kind] for some in (first, last)]
        assert of_kind[0][0].id == of_kind[1][0].id
        assert (planted.kind, planted.subject) not in named(found(planted.gone_at + ROUND))


def named(findings: list[Finding]) -> set[tuple[str, str]]:
    """Kinds and subjects."""
    return {(finding.kind, finding.subject) for finding in findings}


def test_every_kind_of_facts_is_planted() -> None:
    """Only findings of runs, policies and messages are made elsewhere; growth is a matter of weeks."""
    years = YEARS
    planted = {fault.plant(years[id(fault.fields)], BEGINS + timedelta(days=30)).kind for fault in FAULTS}
    elsewhere = {"policy_broken", "run_failed", "deadline_missed", "alert_undelivered", "growth"}
    assert planted == SEVERITIES.keys() - elsewhere

"""Whatever facts a store may show: an answer, stable ids, and an end of what is mended."""

from __future__ import annotations

from datetime import UTC
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from holdfast.policy.model import EnvironmentPolicy
from holdfast.watch.facts import (
    CheckedFacts,
    EnvironmentFacts,
    PointFacts,
    SpaceSample,
    TriedFacts,
    UnfinishedPoint,
    WalFacts,
)
from holdfast.watch.finding import SEVERITIES
from holdfast.watch.judging import judge
from judging_cases import NOW, POLICY
from judging_year import DAY, DUMPS, HOUR, MIB, MINUTE, policy_of

NIGHTS = st.integers(-24 * 60, 24).map(lambda hours: NOW + hours * HOUR)
ANY = st.one_of(NIGHTS, st.datetimes(timezones=st.just(UTC)))
NUMBERS = st.integers(-5, 10**15)
SECONDS = st.one_of(st.floats(), st.floats(0, 10**5))
TIERS = st.sampled_from(["nightly", "monthly", "snapshot", "media", "base_backup", "other"])
TRIED = st.sampled_from(["restore_drill", "restore_check", "pitr_drill", "pitr_check"])
VERDICT = st.sampled_from(["passed", "failed"])
IDS = st.sampled_from(["a", "b", "20260101T010000Z-nightly-4f9c2a", "20260101T010000Z-monthly-4f9c2a"])
TEXTS = st.lists(st.text(max_size=5), max_size=2).map(tuple)


def several(made: type[Any], most: int, **fields: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.lists(st.fixed_dictionaries(fields).map(lambda values: made(**values)), max_size=most).map(tuple)


POINTS = several(
    PointFacts, 8, id=IDS, tier=TIERS, opened_at=ANY, committed_at=ANY, seconds=SECONDS, bytes=NUMBERS,
    rows=st.none() | NUMBERS, is_decrypted=st.booleans(), restore_check=st.none() | VERDICT,
    restore_checked_at=st.none() | ANY, restore_check_faults=TEXTS,
)  # fmt: skip
FACTS = st.fixed_dictionaries(
    {
        "app": st.just("shop"),
        "environment": st.just("production"),
        "read_at": st.just(NOW),
        "since": st.none() | ANY,
        "points": POINTS,
        "unfinished": several(UnfinishedPoint, 3, id=IDS, tier=TIERS, opened_at=ANY, last_written_at=ANY),
        "tried": several(
            TriedFacts,
            8,
            id=IDS,
            kind=TRIED,
            opened_at=ANY,
            finished_at=ANY,
            verdict=VERDICT,
            is_closed=st.booleans(),
            restore_point=IDS,
            rto_seconds=st.none() | SECONDS,
            faults=TEXTS,
        ),
        "checked": several(
            CheckedFacts,
            4,
            id=IDS,
            kind=st.sampled_from(["media_check", "wal_check"]),
            checked_at=ANY,
            faults=TEXTS,
            oldest_unread_at=st.none() | ANY,
        ),
        "wal": several(
            WalFacts,
            1,
            system_identifier=st.just("7"),
            status_at=st.none() | ANY,
            caught_up_at=st.none() | ANY,
            newest_at=st.none() | ANY,
            retained_bytes=st.none() | NUMBERS,
            safe_bytes=st.none() | NUMBERS,
        ).map(lambda some: some[0] if some else None),
        "space": several(SpaceSample, 9, at=ANY, held_bytes=NUMBERS, free_bytes=st.none() | NUMBERS),
    }
).map(lambda values: EnvironmentFacts(**values))


@settings(max_examples=60, suppress_health_check=[HealthCheck.too_slow])
@given(facts=FACTS, policy=st.sampled_from([POLICY, policy_of(DUMPS)]))
def test_no_facts_make_it_fail(facts: EnvironmentFacts, policy: EnvironmentPolicy) -> None:
    """Whatever a store may show, there is an answer: sorted, each id once, each kind known, each with its runbook."""
    found = judge(facts, policy, NOW)
    assert len({finding.id for finding in found}) == len(found)
    assert [finding.id for finding in found] == [
        finding.id for finding in sorted(found, key=lambda each: (each.severity != "page", each.id))
    ]
    for finding in found:
        assert finding.kind in SEVERITIES
        assert finding.id == "/".join(filter(None, ("shop/production", finding.kind, finding.subject)))
        assert finding.text and finding.meaning and finding.advice


@settings(max_examples=40, suppress_health_check=[HealthCheck.too_slow])
@given(facts=FACTS)
def test_a_cause_keeps_its_id(facts: EnvironmentFacts) -> None:
    """What was missing, late or damaged is so a day later, under the same ids."""
    lasting = {"never_started", "late", "rpo_exceeded", "drill_failed", "wal_damaged", "restore_check_failed"}
    # A clock that was ahead becomes right by waiting, which may mend things.
    past = {
        field: tuple(each for each in getattr(facts, field) if each.opened_at <= NOW)
        for field in ("points", "unfinished")
    }
    today, tomorrow = (judge(facts.model_copy(update=past), POLICY, at) for at in (NOW, NOW + DAY))
    known = {finding.id for finding in tomorrow}
    assert not [each for each in today if each.kind in lasting and each.id not in known]


@settings(max_examples=40, suppress_health_check=[HealthCheck.too_slow])
@given(facts=FACTS)
def test_a_healthy_newer_point_ends_what_was_missing(facts: EnvironmentFacts) -> None:
    """Whatever the schedule's findings were, a point of each tier that was committed just now ends them."""
    points = tuple(
        PointFacts(id=f"x-{tier}", tier=tier, opened_at=NOW, committed_at=NOW, seconds=1, bytes=MIB)
        for tier in ("nightly", "monthly", "snapshot", "media", "base_backup")
    )
    later = facts.model_copy(update={"points": (*facts.points, *points), "wal": None})
    found = [
        each for each in judge(later, POLICY, NOW + MINUTE) if each.kind in ("never_started", "late", "rpo_exceeded")
    ]
    ahead = {each.tier for each in facts.unfinished if each.opened_at > NOW}
    assert {each.subject for each in found} <= {"wal"} | ahead

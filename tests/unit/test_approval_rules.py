"""Whether an answer counts, decided from records, policy and time alone."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime, timedelta

import pytest

from holdfast.approval.records import Answer, Asked, Request
from holdfast.approval.rules import demand_answerable, demand_good, same_person
from holdfast.errors import ApprovalError
from holdfast.policy.model import ApprovalRules
from holdfast.values.duration import Duration

NOW = datetime(2026, 11, 22, 9, tzinfo=UTC)
DAY = timedelta(days=1)
SHA = hashlib.sha256(b"plan").hexdigest()
ANYBODY = ApprovalRules()


def request(**fields: object) -> Request:
    usual: dict[str, object] = {
        "app": "shop",
        "environment": "production",
        "subject": "20261122T090000Z-restore_drill-4f9c2a",
        "gate": "approval",
        "number": 1,
        "position": 1,
        "requested_by": "ada",
        "origin": "shop-production.restore_drill/manual__1",
        "asked_at": NOW,
        "expires_at": NOW + DAY,
        "sha256": SHA,
        "body": "plan",
    }
    return Request.model_validate(usual | fields)


def answer(**fields: object) -> Answer:
    usual: dict[str, object] = {
        "app": "shop",
        "environment": "production",
        "subject": "20261122T090000Z-restore_drill-4f9c2a",
        "gate": "approval",
        "number": 1,
        "request_sha256": "r1",
        "sha256": SHA,
        "approver": "grace",
        "decision": "approved",
        "reason": None,
        "answered_at": NOW + timedelta(hours=1),
        "good_until": NOW + timedelta(hours=25),
    }
    return Answer.model_validate(usual | fields)


def asked(given: Answer | None = None, **fields: object) -> Asked:
    return Asked(request(**fields), "r1", given)


@pytest.mark.parametrize("other", ["grace", " Grace\t", "GRACE", "\uff27race"])
def test_account_is_one_person_however_it_is_written(other: str) -> None:
    """Case, blanks and compatible letters make nobody another person."""
    assert same_person("grace", other)


def test_nobody_is_no_person() -> None:
    """A schedule asks in nobody's name, who is not the same as any other nobody."""
    assert not same_person(None, None)
    assert not same_person(None, "grace")
    assert not same_person("ada", "grace")


@pytest.mark.parametrize("name", ["ada", "ADA", " ada "])
def test_requester_cannot_approve(name: str) -> None:
    """Nor by writing the name in another way."""
    with pytest.raises(ApprovalError, match="asked for it"):
        demand_answerable(asked(), answer(approver=name), [], ANYBODY)


def test_requester_can_reject() -> None:
    """To withdraw what one has asked for is always safe."""
    demand_answerable(asked(), answer(approver="ada", decision="rejected", reason="wrong day"), [], ANYBODY)


def test_anybody_can_approve_what_a_schedule_asks_for() -> None:
    """There is nobody to be other than."""
    demand_answerable(asked(requested_by=None), answer(approver="ada"), [], ANYBODY)


def test_answer_at_the_last_moment_is_in_time() -> None:
    """The request's end itself still counts; a moment later nothing does."""
    end = NOW + DAY
    demand_answerable(asked(), answer(answered_at=end), [], ANYBODY)
    with pytest.raises(ApprovalError, match="expired at 2026-11-23 09:00:00 UTC"):
        demand_answerable(asked(), answer(answered_at=end + timedelta(microseconds=1)), [], ANYBODY)


def test_answer_from_before_the_request_is_refused() -> None:
    """Clocks of two hosts may differ by little; more than that is another request's answer, or a wrong clock."""
    demand_answerable(asked(), answer(answered_at=NOW - timedelta(minutes=4)), [], ANYBODY)
    with pytest.raises(ApprovalError, match="before it was asked"):
        demand_answerable(asked(), answer(answered_at=NOW - timedelta(minutes=6)), [], ANYBODY)


def test_only_named_approvers_count_where_the_policy_names_any() -> None:
    """The error names those who may."""
    named = ApprovalRules(approvers=("Grace", "linus"))
    demand_answerable(asked(), answer(), [], named)
    with pytest.raises(ApprovalError, match="mallory is not among") as refused:
        demand_answerable(asked(), answer(approver="mallory"), [], named)
    assert "Grace, linus" in str(refused.value.hint)


def test_answer_without_a_name_is_refused() -> None:
    """Blank is nobody."""
    with pytest.raises(ApprovalError, match="nobody is named"):
        demand_answerable(asked(), answer(approver="  "), [], ANYBODY)


def test_rejection_needs_a_reason() -> None:
    """The hint says how to give one."""
    with pytest.raises(ApprovalError, match="grace rejected it without a reason") as refused:
        demand_answerable(asked(), answer(decision="rejected"), [], ANYBODY)
    assert refused.value.hint == "Clear this task and answer again with a reason."


def test_two_gates_need_two_people() -> None:
    """The first gate's approver counts at the second only to reject; its requester counts at neither."""
    first = asked(answer(gate="first"), gate="first", requested_by="linus")
    second = asked(gate="second")
    with pytest.raises(ApprovalError, match="at gate first already"):
        demand_answerable(second, answer(gate="second", approver="GRACE"), [first], ANYBODY)
    with pytest.raises(ApprovalError, match="linus asked for it"):
        demand_answerable(second, answer(gate="second", approver="linus"), [first], ANYBODY)
    demand_answerable(second, answer(gate="second", decision="rejected", reason="no"), [first], ANYBODY)
    demand_answerable(second, answer(gate="second", approver="edsger"), [first], ANYBODY)


@pytest.mark.parametrize("field", ["sha256", "request_sha256"])
def test_answer_to_something_else_is_refused(field: str) -> None:
    """Another text, or another request that showed the same text."""
    with pytest.raises(ApprovalError, match="not the one that grace was shown"):
        demand_answerable(asked(), answer(**{field: "0" * 64}), [], ANYBODY)


def test_approval_counts_for_its_span_alone() -> None:
    """Given in time, it is good for as long again as the question was; after that nobody may act on it."""
    given = answer()
    assert demand_good(asked(given), SHA, given.good_until) == given
    with pytest.raises(ApprovalError, match="counted until 2026-11-23 10:00:00 UTC"):
        demand_good(asked(given), SHA, given.good_until + timedelta(seconds=1))
    with pytest.raises(ApprovalError, match="yet to come"):
        demand_good(asked(given), SHA, given.answered_at - timedelta(minutes=6))


def test_what_lacks_is_named() -> None:
    """No answer, a rejection with who and why, another plan."""
    with pytest.raises(ApprovalError, match="nobody has answered"):
        demand_good(asked(), SHA, NOW)
    rejected = answer(decision="rejected", reason="codes are missing")
    with pytest.raises(ApprovalError, match="grace rejected it: codes are missing"):
        demand_good(asked(rejected), SHA, NOW + DAY)
    with pytest.raises(ApprovalError, match="the plan has changed since grace approved it"):
        demand_good(asked(answer()), "0" * 64, NOW + DAY)


def test_span_after_a_moment() -> None:
    """Seconds are counted, months are the calendar's, and no span leads past the end of time."""
    end_of_january = datetime(2024, 1, 31, 12, tzinfo=UTC)
    assert Duration.parse("24h").after(NOW) == NOW + DAY
    assert Duration.parse("1mo").after(end_of_january) == datetime(2024, 2, 29, 12, tzinfo=UTC)
    assert Duration.parse("1y").after(end_of_january) == datetime(2025, 1, 31, 12, tzinfo=UTC)
    assert Duration.parse("999999y").after(NOW).year == 9999

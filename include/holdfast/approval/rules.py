"""Whether an answer counts: decided from the records, the policy and the time alone."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from holdfast.approval.records import Answer, Asked, Request
from holdfast.errors import ApprovalError
from holdfast.policy.model import ApprovalRules
from holdfast.values.logins import same_person

# Airflow's API server dates the answer, another host the request.
_CLOCKS_DIFFER = timedelta(minutes=5)
_ASK_AGAIN = "Clear the gate's task, so that it asks again."


def demand_answerable(asked: Asked, answer: Answer, others: Sequence[Asked], rules: ApprovalRules) -> None:
    """Raise ApprovalError unless this answer may be given to this request; ``others`` are the subject's other gates."""
    request = asked.request
    if not answer.approver.strip():
        raise ApprovalError(f"{request.title}: nobody is named who answered", hint=_ASK_AGAIN)
    if rules.approvers and not any(same_person(answer.approver, name) for name in rules.approvers):
        raise ApprovalError(
            f"{request.title}: {answer.approver} is not among policy.approval.approvers",
            hint=f"Clear the gate's task and have one of them answer: {', '.join(rules.approvers)}.",
        )
    _demand_in_time(request, answer)
    if answer.decision == "rejected":
        _demand_reason(answer)
        return
    _demand_own_mind(request, answer, others)
    if (answer.sha256, answer.request_sha256) != (request.sha256, asked.request_sha256):
        raise ApprovalError(
            f"{request.title}: the plan is not the one that {answer.approver} was shown",
            hint=f"Something in the store has changed since. {_ASK_AGAIN}",
        )


def _demand_in_time(request: Request, answer: Answer) -> None:
    if answer.answered_at > request.expires_at:
        raise ApprovalError(
            f"{request.title}: {answer.approver} answered at {moment(answer.answered_at)}, but the request expired "
            f"at {moment(request.expires_at)}",
            hint=_ASK_AGAIN,
        )
    if answer.answered_at < request.asked_at - _CLOCKS_DIFFER:
        raise ApprovalError(
            f"{request.title}: the answer is dated {moment(answer.answered_at)}, before it was asked for "
            f"at {moment(request.asked_at)}",
            hint=f"The clocks of Airflow's hosts differ by minutes: set them first. {_ASK_AGAIN}",
        )


def _demand_reason(answer: Answer) -> None:
    if answer.reason is None:
        raise ApprovalError(
            f"{answer.title}: {answer.approver} rejected it without a reason",
            hint="Clear this task and answer again with a reason.",
        )


def _demand_own_mind(request: Request, answer: Answer, others: Sequence[Asked]) -> None:
    requesters = [request.requested_by, *(other.request.requested_by for other in others)]
    if any(same_person(answer.approver, name) for name in requesters):
        raise ApprovalError(
            f"{request.title}: {answer.approver} asked for it, and cannot approve it too",
            hint="Clear this task and have somebody else answer.",
        )
    for other in others:
        given = other.answer
        if given is not None and given.decision == "approved" and same_person(given.approver, answer.approver):
            raise ApprovalError(
                f"{request.title}: {answer.approver} has approved it at gate {given.gate} already, "
                "and it needs two people",
                hint="Clear this task and have somebody else answer.",
            )


def demand_origin(request: Request, origin: str | None) -> None:
    """Raise ApprovalError where another run than ``origin`` asked; None asks for no run in particular."""
    if origin is not None and request.origin != origin:
        raise ApprovalError(
            f"{request.title}: it was approved for {request.origin}, not for {origin}",
            hint="Trigger a new run, and have that approved.",
        )


def demand_good(asked: Asked, sha256: str, now: datetime) -> Answer:
    """The answer, where it approves the text of that SHA-256 and still counts now; raises ApprovalError."""
    request, answer = asked.request, asked.answer
    if answer is None:
        raise ApprovalError(
            f"{request.title}: nobody has answered what was asked at {moment(request.asked_at)}",
            hint="Only an answer given at the gate counts: clear its task to ask again. "
            "Marking the task as success is no approval.",
        )
    if answer.decision == "rejected":
        raise ApprovalError(f"{request.title}: {answer.approver} rejected it: {answer.reason}")
    if sha256 != answer.sha256:
        raise ApprovalError(
            f"{request.title}: the plan has changed since {answer.approver} approved it: its SHA-256 is "
            f"{sha256[:12]}…, approved was {answer.sha256[:12]}…",
            hint=_ASK_AGAIN,
        )
    if now > answer.good_until:
        raise ApprovalError(
            f"{request.title}: the approval of {answer.approver} counted until {moment(answer.good_until)}",
            hint=_ASK_AGAIN,
        )
    if now < answer.answered_at - _CLOCKS_DIFFER:
        raise ApprovalError(
            f"{request.title}: the approval of {answer.approver} is dated {moment(answer.answered_at)}, which is yet "
            "to come",
            hint=f"The clocks of Airflow's hosts differ by minutes: set them first. {_ASK_AGAIN}",
        )
    return answer


def moment(time: datetime) -> str:
    """A time as messages state it."""
    return f"{time:%Y-%m-%d %H:%M:%S} UTC"

"""Gates: ask people about a plan, take down their answer, and demand the answer before acting."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from datetime import UTC, datetime

from holdfast.approval.ledger import Ledger, demand_gate
from holdfast.approval.records import Answer, Asked, Decision, Request
from holdfast.approval.rules import demand_answerable, demand_good, demand_origin, moment
from holdfast.audit import Act, append
from holdfast.environment import Environment
from holdfast.errors import ApprovalError, UsageError
from holdfast.manifest.evidence import GivenApproval
from holdfast.values.ids import RestorePointId


def digest(body: str) -> str:
    """The SHA-256, in hexadecimal digits, that an approval of this text is bound to."""
    return hashlib.sha256(body.encode()).hexdigest()


def request_approval(
    environment: Environment,
    subject: RestorePointId,
    *,
    gate: str,
    position: int,
    body: str,
    requested_by: str | None,
    origin: str,
    until: datetime | None = None,
) -> Request:
    """Leave the signed request that goes with what a gate is about to show; returns it.

    Every call makes a new request, and answers to the gate's earlier ones count no more. ``position`` is the gate's
    place among those of the subject (1 or 2); ``requested_by`` is None where a schedule asks. It expires ``until``
    (aware) at the latest, however long the policy gives. Raises UsageError, and ApprovalError where that has passed.
    """
    if not body.strip():
        raise UsageError(f"gate {gate} of {environment.title}/{subject}: there is no plan to show")
    if position not in (1, 2):
        raise UsageError(f"gate {gate}: its position is {position}, but there are two at most")
    ledger = Ledger(environment, subject)
    now = environment.clock().astimezone(UTC)
    expires_at = environment.policy.approval.within.after(now)
    if until is not None:
        expires_at = min(expires_at, until.astimezone(UTC))
    if expires_at <= now:
        raise ApprovalError(
            f"gate {gate} of {environment.title}/{subject}: the time to answer is over since {moment(expires_at)}",
            hint="Trigger a new run.",
        )
    request = Request(
        app=environment.app,
        environment=environment.name,
        subject=str(subject),
        gate=demand_gate(gate),
        number=ledger.next_number(gate),
        position=position,
        requested_by=(requested_by or "").strip() or None,
        origin=origin,
        asked_at=now,
        expires_at=expires_at,
        sha256=digest(body),
        body=body,
    )
    ledger.write(request)
    return request


def record_answer(
    environment: Environment,
    subject: RestorePointId,
    *,
    gate: str,
    approver: str,
    decision: Decision,
    reason: str | None,
    answered_at: datetime,
    shown_sha256: str,
    number: int | None = None,
) -> Answer:
    """Take down, signed, what one person answered to the gate's latest request; returns it.

    ``answered_at`` is aware, and dated by whoever took the answer; ``number`` is that of the request that was
    answered, where the caller knows it. The same answer once more is no error. Raises ApprovalError where the answer
    does not count: nobody asked, or asked again since; too late; by the requester, by who approved at another gate or
    is no approver; of another plan; a rejection without a reason; a second answer. None of these leaves a record. What
    counts stands in the audit trail, too.
    """
    ledger = Ledger(environment, subject)
    asked = _newest(ledger, gate)
    if number is not None and number != asked.request.number:
        raise ApprovalError(f"{asked.request.title}: it has asked again since, and that answer counts no more")
    answered_at = answered_at.astimezone(UTC)
    answer = Answer(
        app=environment.app,
        environment=environment.name,
        subject=str(subject),
        gate=gate,
        number=asked.request.number,
        request_sha256=asked.request_sha256,
        sha256=shown_sha256,
        approver=approver.strip(),
        decision=decision,
        reason=(reason or "").strip() or None,
        answered_at=answered_at,
        good_until=environment.policy.approval.within.after(answered_at),
    )
    demand_answerable(asked, answer, ledger.newest_of_others(gate), environment.policy.approval)
    if asked.answer is not None:
        answer = _the_same(asked.answer, answer)
    else:
        ledger.write(answer)
    _recorded(environment, asked.request, answer)
    return answer


def _recorded(environment: Environment, request: Request, answer: Answer) -> None:
    """The answer stands signed already: a try that was killed here tells the audit trail when it runs again."""
    append(
        environment,
        Act(
            answer.decision,
            answer.subject,
            {
                "gate": answer.gate,
                "request": answer.number,
                "sha256": answer.sha256,
                "requested_by": request.requested_by,
                "attested_by": environment.actor.who if environment.actor.via == "cli" else None,
            },
            who=answer.approver,
            once=f"{answer.decision} {answer.subject} {answer.gate} {answer.number}",
            since=request.asked_at,
        ),
    )


def _the_same(standing: Answer, answer: Answer) -> Answer:
    """A try that was killed may have taken the answer down; any other answer comes too late."""
    who_what_when = ("approver", "decision", "reason", "answered_at", "sha256", "request_sha256")
    if any(getattr(standing, field) != getattr(answer, field) for field in who_what_when):
        raise ApprovalError(
            f"{standing.title}: {standing.approver} {standing.decision} it at {moment(standing.answered_at)} already"
        )
    return standing


def demand_approval(
    environment: Environment,
    subject: RestorePointId,
    *,
    body: str,
    gates: Sequence[str],
    now: datetime,
    origin: str | None = None,
) -> tuple[GivenApproval, ...]:
    """Who approved exactly this text at each of the gates, read from the store; whoever acts on it calls this first.

    Raises ApprovalError that names what lacks, and SignatureError or IntegrityError where a record is not ours.
    The policy is asked as it stands now: an approver who was removed since does not count. ``origin`` is the run that
    acts, where its own gates must have asked: what was approved in another run is not done again in this one.
    """
    rules = environment.policy.approval
    if len(set(gates)) != len(gates) or len(gates) < rules.needed:
        raise ApprovalError(
            f"{environment.title}/{subject}: policy.approval.needed is {rules.needed}, but what acts looks at "
            f"{', '.join(gates) or 'no gate'}",
            hint="The policy has changed since the run began: trigger a new one.",
        )
    ledger = Ledger(environment, subject)
    asked = [_newest(ledger, gate) for gate in gates]
    answers = [demand_good(each, digest(body), now) for each in asked]
    for each, answer in zip(asked, answers, strict=True):
        demand_origin(each.request, origin)
        demand_answerable(each, answer, [other for other in asked if other is not each], rules)
    return tuple(answer.given() for answer in answers)


def read_approvals(environment: Environment, subject: RestorePointId) -> tuple[Asked, ...]:
    """Everything that was asked and answered about the subject, the oldest request first; signatures are checked."""
    ledger = Ledger(environment, subject)
    # A signature alone is what a killed task left before its record stood.
    requests = {(number, gate) for gate, number, rest in ledger.names() if rest.endswith(".json")}
    found = [ledger.read(gate, number) for number, gate in sorted(requests)]
    return tuple(sorted(found, key=lambda asked: asked.request.asked_at))


def _newest(ledger: Ledger, gate: str) -> Asked:
    asked = ledger.newest(demand_gate(gate))
    if asked is None:
        raise ApprovalError(
            f"{ledger.title(gate)}: nobody was asked",
            hint="The gate's task has to run: marking it as success is no approval.",
        )
    return asked

"""What the evidence of an operation may not say, whoever signed it: nobody agreed, too late, to another plan."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

from holdfast.evidence import acts
from holdfast.evidence.figures import moment
from holdfast.evidence.objects import sha256
from holdfast.manifest.evidence import Evidence, Step
from holdfast.values.logins import account

_CLOCKS_DIFFER = timedelta(minutes=5)


def agreement_faults(evidence: Evidence) -> Iterator[str]:
    """Each fault in words; what was shown to people is looked up in the ledger of approvals, not here."""
    plan = evidence.plan
    if plan is not None and plan.sha256 != sha256(plan.body.encode()):
        yield "its plan is not the one whose SHA-256 stands beside it"
    approved = acts.changing(evidence, *acts.APPROVED)
    if approved and plan is None:
        yield "what is live was changed without a plan"
    yield from _people(evidence, needed=any(step.outcome == "passed" for step in approved))
    yield from _times(evidence)


def _people(evidence: Evidence, *, needed: bool) -> Iterator[str]:
    standing = acts.standing(evidence.approvals)
    if needed and not standing:
        yield "what is live was changed, and nobody has approved it"
    names = [account(approval.approver) for approval in standing]
    if len(set(names)) < len(names):
        yield "one person has approved twice"
    requester = evidence.requested_by
    if requester is not None and account(requester) in {account(each.approver) for each in evidence.approvals}:
        yield f"{requester} has approved what they requested themselves"


def _times(evidence: Evidence) -> Iterator[str]:
    """A step asks for approval and window within itself, so that only its end says that it had them."""
    window = evidence.window
    answered = [approval.answered_at for approval in acts.standing(evidence.approvals)]
    for step in acts.changing(evidence, *acts.APPROVED):
        if step.outcome != "passed":
            continue
        ended = step.started_at + timedelta(seconds=step.seconds)
        if any(at > ended + _CLOCKS_DIFFER for at in answered):
            yield f"step {step.name} ended at {moment(ended)}, before it was approved"
        if window is not None and _acted(step) and (step.started_at >= window.ends_at or ended < window.begins_at):
            yield (
                f"step {step.name} was taken at {moment(step.started_at)}, outside the change window "
                f"{moment(window.begins_at)} to {moment(window.ends_at)}"
            )


def _acted(step: Step) -> bool:
    """Did it switch then? One that was killed just after it had is found done by the next attempt, however late."""
    return step.name in acts.SWITCHES and "unavailable_seconds" in step.facts

"""Whether the approvals in an operation's evidence are those of the ledger, given to the plan that was carried out."""

from __future__ import annotations

from collections.abc import Iterator

from holdfast.approval import Asked, digest, read_approvals
from holdfast.environment import Environment
from holdfast.errors import PermanentError
from holdfast.evidence import read_evidence
from holdfast.evidence.acts import standing
from holdfast.manifest.evidence import Evidence, GivenApproval
from holdfast.values.ids import RestorePointId


def ledger_faults(environment: Environment, operation: RestorePointId) -> list[str]:
    """What the records of the gates say otherwise than the evidence; nothing where both agree, and nothing of drills.

    Raises what reading the evidence raises.
    """
    evidence = read_evidence(environment, operation)
    if evidence.is_drill:
        return []
    try:
        asked = read_approvals(environment, operation)
    except PermanentError as error:
        return [error.message]
    return [f"{environment.keys.approvals_of(operation)}: {fault}" for fault in _faults(evidence, asked)]


def _faults(evidence: Evidence, asked: tuple[Asked, ...]) -> Iterator[str]:
    given = {each.answer.given(): each for each in asked if each.answer is not None}
    for approval in evidence.approvals:
        if approval not in given:
            yield f"there is no record that {approval.approver} approved it at gate {approval.gate}"
    for approval in standing(evidence.approvals):
        if approval in given:
            yield from _of_what_was_shown(evidence, approval, given[approval])


def _of_what_was_shown(evidence: Evidence, approval: GivenApproval, asked: Asked) -> Iterator[str]:
    """A gate's text begins with the plan's, and names its hash and the operation."""
    request, answer = asked.request, asked.answer
    if answer is None or answer.decision != "approved":
        yield f"{approval.approver} rejected it at gate {approval.gate}"
    if not request.sha256 == approval.sha256 == digest(request.body):
        yield f"{approval.approver} was shown another text at gate {approval.gate} than the one that was approved"
    plan = evidence.plan
    if plan is not None and not _shows(request.body, plan.body, f"Plan `{plan.sha256}` of operation `{evidence.id}`."):
        yield f"{approval.approver} was shown another plan at gate {approval.gate} than the one that was carried out"
    if request.requested_by != evidence.requested_by:
        yield f"at gate {approval.gate} it was {request.requested_by or 'nobody by name'} who asked for it"


def _shows(shown: str, body: str, said: str) -> bool:
    return shown.startswith(body.rstrip()) and said in shown

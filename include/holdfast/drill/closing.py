"""Closes a drill once everybody who was asked has agreed to exactly what the evidence says."""

from __future__ import annotations

from dataclasses import dataclass

from holdfast.approval import demand_approval
from holdfast.drill.naming import gates_of
from holdfast.environment import Environment
from holdfast.errors import ApprovalError
from holdfast.evidence import approval_markdown, read_closing, read_evidence, write_closing
from holdfast.evidence.objects import sha256
from holdfast.manifest.evidence import Closing
from holdfast.values.ids import RestorePointId


@dataclass(frozen=True, slots=True)
class ClosingFacts:
    """Who agreed to which drill."""

    id: str
    approvers: tuple[str, ...]
    key: str

    def as_json(self) -> dict[str, object]:
        """The facts as an object of plain values."""
        return {"drill": self.id, "approved_by": list(self.approvers), "closing": self.key}


def approval_plan(environment: Environment, drill: RestorePointId) -> str:
    """What a gate shows (Markdown), from the signed evidence alone: the approval is bound to its SHA-256."""
    return approval_markdown(read_evidence(environment, drill))


def close_drill(environment: Environment, drill: RestorePointId) -> ClosingFacts:
    """Verify the approvals and store the closing; doing it again finds its own.

    Raises ApprovalError where the evidence speaks of a failed drill, or where anybody has not agreed to it.
    """
    evidence = read_evidence(environment, drill)
    if evidence.verdict != "passed":
        raise ApprovalError(
            f"drill {environment.title}/{drill}: it has failed, so there is nothing to approve",
            hint="Mend what the evidence names, then start a new drill.",
        )
    closing = read_closing(environment, drill)
    if closing is None:
        now = environment.clock()
        approvals = demand_approval(
            environment,
            drill,
            body=approval_markdown(evidence),
            gates=gates_of(environment.policy),
            now=now,
            origin=evidence.origin,
        )
        closing = Closing(
            id=str(drill),
            app=environment.app,
            environment=environment.name,
            evidence_sha256=sha256(evidence.encode()),
            closed_at=now,
            approval="given",
            approvals=approvals,
        )
    # Also where it stands: a killed attempt may have left the report out.
    key = write_closing(environment, closing, evidence)
    return ClosingFacts(str(drill), tuple(each.approver for each in closing.approvals), key)

"""Approval at a command line: who sits there names who agreed, and that is recorded as at any gate."""

from __future__ import annotations

from collections.abc import Sequence

from holdfast.approval import digest, record_answer, request_approval
from holdfast.drill.naming import gates_of
from holdfast.environment import Environment
from holdfast.errors import ApprovalError, UsageError
from holdfast.operation.plans import gate_text
from holdfast.operation.records import read_operation
from holdfast.values.ids import RestorePointId
from holdfast.values.logins import same_person


def demand_people(environment: Environment, i_am: str, approved_by: Sequence[str]) -> None:
    """Raise ApprovalError unless as many others as the policy needs are named; UsageError for an empty name."""
    if not i_am.strip() or not all(name.strip() for name in approved_by):
        raise UsageError("--i-am and --approved-by: each needs the name of a person")
    needed = environment.policy.approval.needed
    if len(approved_by) < needed:
        raise ApprovalError(
            f"{environment.title}: {needed} people other than {i_am} must approve, named were {len(approved_by)}",
            hint="Give --approved-by once for each of them.",
        )
    everybody = [i_am, *approved_by]
    for index, name in enumerate(everybody):
        for other in everybody[index + 1 :]:
            if same_person(name, other):
                raise ApprovalError(
                    f"{environment.title}: {name} cannot be named twice: nobody approves what he or she asked for, "
                    "or approves it for two",
                    hint="Have somebody else look at the plan, and name that person with --approved-by.",
                )


def attest(environment: Environment, operation: RestorePointId, approved_by: Sequence[str]) -> None:
    """Record who agreed to what the gates would show; doing it again records it anew. Raises ApprovalError."""
    opened, text = read_operation(environment, operation), gate_text(environment, operation)
    for position, (gate, approver) in enumerate(zip(gates_of(environment.policy), approved_by, strict=False), start=1):
        request_approval(
            environment,
            operation,
            gate=gate,
            position=position,
            body=text,
            requested_by=opened.requested_by,
            origin=opened.origin,
        )
        record_answer(
            environment,
            operation,
            gate=gate,
            approver=approver,
            decision="approved",
            reason=f"attested by {opened.requested_by} at the command line",
            answered_at=environment.clock(),
            shown_sha256=digest(text),
        )

"""May it be done now? Asked right before the live application is changed, with everything looked at once more."""

from __future__ import annotations

from datetime import datetime

from holdfast.approval import demand_approval
from holdfast.drill.naming import gates_of
from holdfast.environment import Environment
from holdfast.errors import ApprovalError
from holdfast.manifest.evidence import GivenApproval
from holdfast.operation.plans import Plan, gate_text, read_plan
from holdfast.operation.records import Window, read_operation
from holdfast.values.ids import RestorePointId


def demand_go(environment: Environment, operation: RestorePointId, fresh: Plan) -> tuple[GivenApproval, ...]:
    """Who agreed to exactly this; ``fresh`` is the plan as it comes out now.

    Raises ApprovalError where the plan is another one by now, an approval lacks, is too old or of another text, or
    where the change window is not open; UsageError where it cannot be done as things are.
    """
    demand_as_planned(environment, operation, fresh)
    return demand_approval(
        environment,
        operation,
        body=gate_text(environment, operation),
        gates=gates_of(environment.policy),
        now=environment.clock(),
        origin=read_operation(environment, operation).origin,
    )


def demand_as_planned(environment: Environment, operation: RestorePointId, fresh: Plan) -> None:
    """The same but for the approvals, for what needs none, such as a migration behind its snapshot."""
    opened, planned = read_operation(environment, operation), read_plan(environment, operation)
    if fresh.sha256 != planned.sha256:
        raise ApprovalError(
            f"operation {environment.title}/{operation}: the plan has changed since it was approved: its hash is "
            f"{fresh.sha256[:12]}…, approved was {planned.sha256[:12]}…",
            hint="The live application or the restore point is not what it was. Nothing was changed: plan anew, "
            "and have that approved.",
        )
    planned.demand_possible()
    fresh.demand_possible()
    demand_window(f"operation {environment.title}/{operation}", opened.window, environment.clock())


def demand_window(what: str, window: Window | None, now: datetime) -> None:
    """Raise ApprovalError where a change window was given and is not open."""
    if window is None:
        return
    if now < window.begins_at:
        raise ApprovalError(
            f"{what}: the change window opens at {window.begins_at.isoformat()} only",
            hint="Clear this task once it is open. Nothing was changed.",
        )
    if now >= window.ends_at:
        raise ApprovalError(
            f"{what}: the change window closed at {window.ends_at.isoformat()}",
            hint="Trigger a new run with a window that is allowed. Nothing was changed.",
        )

"""Plans: what an operation would do, in words whose SHA-256 people agree to and commands repeat."""

from __future__ import annotations

import hashlib

from pydantic import Field

from holdfast.catalog.drafts import read_draft, replace_draft
from holdfast.environment import Environment
from holdfast.errors import UsageError
from holdfast.evidence.visible import code, prose
from holdfast.manifest.evidence import Fact, OperationKind, Planned
from holdfast.manifest.model import Record
from holdfast.operation.records import read_operation
from holdfast.values.ids import RestorePointId

_PLAN = "draft-planned.json"


class Plan(Record):
    """What would be done: ``body`` is bound, the same store and live application giving the same bytes.

    ``notes`` (sizes, durations) may differ a moment later. ``faults`` say why it cannot be done as things are.
    ``facts`` are small values for programs. Both texts are Markdown.
    """

    kind: OperationKind
    app: str
    environment: str
    restore_point: str
    body: str
    notes: str = ""
    facts: dict[str, Fact] = Field(default_factory=dict)
    faults: tuple[str, ...] = ()

    @property
    def sha256(self) -> str:
        """The plan's hash, which ``--apply`` takes, hexadecimal."""
        return hashlib.sha256(self.body.encode()).hexdigest()

    def demand_possible(self) -> None:
        """Raise UsageError where it cannot be done as things are."""
        if self.faults:
            raise UsageError(
                f"{self.kind} of {self.app}/{self.environment}: cannot be done: {'; '.join(self.faults)}",
                hint="Mend that, then make the plan again. Nothing was changed.",
            )

    def as_planned(self) -> Planned:
        """For the evidence."""
        return Planned(sha256=self.sha256, body=self.body, notes=self.notes)


def write_plan(environment: Environment, operation: RestorePointId, plan: Plan) -> None:
    """Store the plan of an operation that was opened, in place of an earlier attempt's."""
    replace_draft(environment.store, _key(environment, operation), plan, environment.signer())


def find_plan(environment: Environment, operation: RestorePointId) -> Plan | None:
    """The operation's plan; None where none was made yet. Raises SignatureError or IntegrityError."""
    plan = read_draft(environment.store, _key(environment, operation), Plan, environment.verifier())
    place = (environment.app, environment.name, operation.tier)
    return plan if plan is not None and (plan.app, plan.environment, plan.kind) == place else None


def read_plan(environment: Environment, operation: RestorePointId) -> Plan:
    """The operation's plan; raises UsageError where none was made."""
    plan = find_plan(environment, operation)
    if plan is None:
        raise UsageError(
            f"operation {environment.title}/{operation}: nothing was planned", hint="Run its task plan first."
        )
    return plan


def gate_text(environment: Environment, operation: RestorePointId) -> str:
    """What a gate shows (Markdown), from the store alone: the approval is bound to its SHA-256."""
    # Imported here: it builds on plans.
    from holdfast.operation.proof import proof_markdown

    opened, plan = read_operation(environment, operation), read_plan(environment, operation)
    asked = code(opened.requested_by) if opened.requested_by else "nobody by name"
    head = [f"Asked for by {asked}: {prose(opened.reason or 'no reason given')}."]
    if opened.window is not None:
        ticket = f", ticket {code(opened.window.ticket)}" if opened.window.ticket else ""
        begins, ends = opened.window.begins_at, opened.window.ends_at
        head.append(f"Change window: {begins.isoformat()} to {ends.isoformat()}{ticket}.")
    head.append(f"Plan `{plan.sha256}` of operation `{operation}`.")
    parts = [plan.body.rstrip(), plan.notes.rstrip(), proof_markdown(environment, opened), "\n".join(head)]
    return "\n\n".join(part for part in parts if part) + "\n"


def _key(environment: Environment, operation: RestorePointId) -> str:
    return environment.keys.evidence_object(operation, _PLAN)

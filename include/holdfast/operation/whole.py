"""A whole operation in one process, as the command line takes it: the same steps that the DAGs run as tasks."""

from __future__ import annotations

import secrets
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pydantic import JsonValue

from holdfast.audit import Act, append
from holdfast.backup.run import run_backup
from holdfast.backup.tiers import snapshot_tier
from holdfast.drill.gathering import EvidenceFacts
from holdfast.environment import Environment
from holdfast.errors import ApprovalError, DatabaseError, DatabaseUnavailable, UsageError
from holdfast.manifest.evidence import Fact, OperationKind, Step, Window
from holdfast.operation.attesting import attest, demand_people
from holdfast.operation.deciding import examined, make_plan, parsed
from holdfast.operation.live import live_target
from holdfast.operation.opening import open_operation
from holdfast.operation.plans import Plan, read_plan, write_plan
from holdfast.operation.proof import find_snapshot, has_live
from holdfast.operation.recording import record_operation
from holdfast.operation.records import OperationOpen, read_operation
from holdfast.operation.standing import find_standing
from holdfast.operation.steps import PLAN, TITLES, names_of_opened
from holdfast.operation.taking import take_step
from holdfast.operation.working import abandon, outcome_of_plan, take_operation_step
from holdfast.postgres.exclusion import exclusive
from holdfast.progress import Progress, Silent
from holdfast.values.ids import RestorePointId

if TYPE_CHECKING:
    from holdfast.operation.rows.planning import Planned

_SILENT = Silent()
# What replaces everything that is live is not done without a fresh snapshot of it.
_WITH_SNAPSHOT: frozenset[OperationKind] = frozenset({"restore", "rollback"})


@dataclass(frozen=True, slots=True)
class People:
    """Who sits at the command line, and who agreed."""

    i_am: str
    approved_by: Sequence[str]


@dataclass(frozen=True, slots=True)
class OperationFacts:
    """What came of an operation: its evidence and the figures of its steps."""

    plan: str
    evidence: EvidenceFacts
    facts: Mapping[str, Fact]
    notes: tuple[str, ...]

    def as_json(self) -> dict[str, object]:
        """The facts as an object of plain values."""
        found = self.evidence
        return {
            "plan": self.plan,
            "operation": found.id,
            "verdict": found.verdict,
            "restore_point": found.restore_point,
            "findings": list(found.findings),
            "notes": list(self.notes),
            "facts": dict(self.facts),
            "evidence": found.key,
        }


def run_operation(
    environment: Environment,
    kind: OperationKind,
    point: RestorePointId,
    request: Mapping[str, JsonValue],
    *,
    expected: str,
    people: People,
    reason: str | None = None,
    window: Window | None = None,
    progress: Progress = _SILENT,
) -> OperationFacts:
    """Do what the plan with the hash ``expected`` says, agreed to by ``people``; go on with what a killed run began.

    Raises ApprovalError, before anything is written, where the plan is another one by now or the people are not
    those that the policy needs, and UsageError where it cannot be done as things are. What fails later is in the
    evidence, and what is live is then as it was unless that says otherwise.
    """
    demand_people(environment, people.i_am, people.approved_by)
    with _alone(environment):
        operation, found = find_standing(environment, kind, point, expected), None
        if operation is None:
            plan, found = _plan(environment, kind, point, request, progress)
            demand_expected(environment, plan, expected)
            operation = _begin(environment, plan, point, request, people, reason, window, progress)
        return _finished(environment, operation, people, found, progress, expected)


@contextmanager
def _alone(environment: Environment) -> Iterator[None]:
    """Whoever repeats a command while it runs must not remove under its hands what it has restored beside."""
    with ExitStack() as held:
        # What the server refuses is for the steps to tell, and for the evidence.
        with suppress(DatabaseError, DatabaseUnavailable, UsageError):
            held.enter_context(exclusive(live_target(environment), environment.app, environment.name, whole=True))
        yield


def _finished(
    environment: Environment,
    operation: RestorePointId,
    people: People,
    found: Planned | None,
    progress: Progress,
    expected: str,
) -> OperationFacts:
    opened = read_operation(environment, operation)
    try:
        steps = _carry_out(environment, operation, opened, people, found, progress)
    except BaseException as error:
        left = abandon(environment, operation, goes_on=True)
        if left:
            error.add_note(left)
        raise
    if any(step.outcome == "failed" for step in steps):
        abandon(environment, operation)
    return OperationFacts(
        plan=expected,
        evidence=record_operation(environment, operation),
        facts={name: fact for step in steps for name, fact in step.facts.items()},
        notes=tuple(note for step in steps for note in step.notes),
    )


def _plan(
    environment: Environment,
    kind: OperationKind,
    point: RestorePointId,
    request: Mapping[str, JsonValue],
    progress: Progress,
) -> tuple[Plan, Planned | None]:
    """The plan, with the rows that were looked for where it is about rows."""
    if kind != "recover_rows":
        return make_plan(environment, kind, point, request, progress=progress), None
    from holdfast.operation.rows import RowsRequest, find_and_plan

    found = find_and_plan(environment, point, parsed(request, RowsRequest), progress=progress)
    return examined(environment, point, request, found.plan), found


def _begin(
    environment: Environment,
    plan: Plan,
    point: RestorePointId,
    request: Mapping[str, JsonValue],
    people: People,
    reason: str | None,
    window: Window | None,
    progress: Progress,
) -> RestorePointId:
    plan.demand_possible()
    operation = open_operation(
        environment,
        kind=plan.kind,
        opened_at=environment.clock(),
        origin=f"holdfast/{secrets.token_hex(16)}",
        restore_point=point,
        request=request,
        reason=reason,
        requested_by=people.i_am.strip(),
        window=window,
        approval="attested",
    )
    append(
        environment,
        Act("triggered", str(operation), {"kind": plan.kind, "by": people.i_am.strip(), "plan": plan.sha256}),
    )
    write_plan(environment, operation, plan)
    take_step(environment, operation, PLAN, TITLES[PLAN], lambda _: outcome_of_plan(plan), progress)
    return operation


def demand_expected(environment: Environment, plan: Plan, expected: str) -> None:
    """Raise ApprovalError unless the plan is the one that was agreed to."""
    if plan.sha256 != expected.strip().lower():
        raise ApprovalError(
            f"{plan.kind} of {environment.title}: {expected[:64]} is not the hash of the plan as it is now, "
            f"which is {plan.sha256}",
            hint="The live application, the restore point or the arguments are not those that were planned. Nothing "
            "was changed: run it without --apply, read the new plan and have that approved.",
        )


def _carry_out(
    environment: Environment,
    operation: RestorePointId,
    opened: OperationOpen,
    people: People,
    found: Planned | None,
    progress: Progress,
) -> list[Step]:
    plan = read_plan(environment, operation)
    if opened.kind in _WITH_SNAPSHOT and has_live(plan) and find_snapshot(environment, opened) is None:
        run_backup(
            environment,
            snapshot_tier(environment.policy),
            label=f"pre-{opened.kind}-{operation}",
            opened_at=opened.opened_at,
            origin=opened.origin,
            is_damaged=True,
            progress=progress,
        )
    attest(environment, operation, people.approved_by)
    steps: list[Step] = []
    for name in names_of_opened(opened, plan):
        step = take_operation_step(environment, operation, name, found=found, progress=progress)
        if step is None:
            continue
        steps.append(step)
        if step.outcome == "failed":
            break
    return steps

"""Records what an operation did: its plan, who agreed, each step; signed, beside the evidence of drills."""

from __future__ import annotations

from contextlib import suppress
from datetime import timedelta

import holdfast
from holdfast.approval import read_approvals
from holdfast.drill.gathering import EvidenceFacts, facts_of, history_of
from holdfast.drill.records import read_step, remove_drafts
from holdfast.environment import Environment
from holdfast.errors import HoldfastError
from holdfast.evidence import find_evidence, write_evidence
from holdfast.manifest.evidence import Evidence, GivenApproval
from holdfast.operation.plans import find_plan
from holdfast.operation.records import OperationOpen, read_operation
from holdfast.operation.steps import names_of_opened
from holdfast.values.ids import RestorePointId


def record_operation(environment: Environment, operation: RestorePointId) -> EvidenceFacts:
    """Store the signed evidence of an operation whose steps have ended, however they did; a second time finds it."""
    evidence = find_evidence(environment, operation)
    if evidence is None:
        evidence = _evidence(environment, operation, read_operation(environment, operation))
    # What a killed attempt left out is made up for; what it wrote is found as it is.
    key = write_evidence(environment, evidence)
    remove_drafts(environment, operation)
    return facts_of(evidence, key)


def _evidence(environment: Environment, operation: RestorePointId, opened: OperationOpen) -> Evidence:
    plan = find_plan(environment, operation)
    names = names_of_opened(opened, plan)
    drafts = [draft for name in names if (draft := read_step(environment, operation, name)) is not None]
    steps = tuple(draft.step for draft in drafts)
    not_run = tuple(name for name in names if name not in {step.name for step in steps})
    passed = not not_run and all(step.outcome == "passed" for step in steps)
    seconds = sum(step.seconds for step in steps)
    return Evidence(
        id=str(operation),
        kind=opened.kind,
        app=environment.app,
        environment=environment.name,
        holdfast_version=holdfast.__version__,
        restore_point=opened.restore_point,
        restore_point_taken_at=opened.restore_point_taken_at,
        manifest_sha256=opened.manifest_sha256,
        source_version=opened.source_version,
        requested_by=opened.requested_by,
        reason=opened.reason,
        origin=opened.origin,
        media="none" if opened.request.get("what") in (None, "database") else "all",
        opened_at=opened.opened_at,
        finished_at=max([opened.opened_at, *(step.started_at + timedelta(seconds=step.seconds) for step in steps)]),
        surroundings=None,
        steps=steps,
        steps_not_run=not_run,
        tables=next((draft.tables for draft in drafts if draft.tables), ()),
        history=history_of(environment, opened.point),
        restore_seconds=round(seconds, 3) if passed else None,
        rto_seconds=None,
        approval="asked",
        plan=plan.as_planned() if plan is not None else None,
        window=opened.window,
        approvals=_approvals(environment, operation),
        verdict="passed" if passed else "failed",
    )


def _approvals(environment: Environment, operation: RestorePointId) -> tuple[GivenApproval, ...]:
    """Who agreed, as far as the records can be read; what acted has demanded them all before."""
    with suppress(HoldfastError):
        answers = [asked.answer for asked in read_approvals(environment, operation)]
        return tuple(answer.given() for answer in answers if answer is not None and answer.decision == "approved")
    return ()

"""Ends an operation: what was restored in vain is removed, and what was done is recorded, unless that is not known."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from holdfast.drill.gathering import EvidenceFacts
from holdfast.drill.records import read_step
from holdfast.environment import Environment
from holdfast.errors import RestoreError
from holdfast.evidence import find_evidence, read_evidence
from holdfast.operation.plans import find_plan
from holdfast.operation.recording import record_operation
from holdfast.operation.records import read_operation
from holdfast.operation.steps import MIGRATE, names_of_opened
from holdfast.operation.working import abandon
from holdfast.values.ids import RestorePointId


@dataclass(frozen=True, slots=True)
class Ending:
    """How an operation ended: its evidence, the steps that never ran, and what could not be removed, if anything."""

    evidence: EvidenceFacts
    not_run: tuple[str, ...]
    left: str


def end_operation(environment: Environment, operation: RestorePointId, *, begun: Sequence[str] = ()) -> Ending:
    """Record the operation as it stands; a second time finds what the first recorded.

    ``begun`` are steps whose tasks have begun to change what is live. Raises RestoreError, and records nothing, where
    one of them has left no word of how it ended: taken again, it finds out. A migration never is: it runs once.
    """
    left = ""
    if find_evidence(environment, operation) is None:
        states = _outcomes(environment, operation)
        cut_off = [name for name in begun if name != MIGRATE and states.get(name, "") is None]
        if cut_off:
            raise RestoreError(
                f"operation {environment.title}/{operation}: {', '.join(cut_off)} was cut off, so that it is not known "
                "whether what is live has changed",
                hint=f"Clear the task {cut_off[0]} with all that follow it: it finds out, and does what is not done.",
            )
        if any(outcome != "passed" for outcome in states.values()):
            left = abandon(environment, operation)
    found = record_operation(environment, operation)
    return Ending(found, read_evidence(environment, operation).steps_not_run, left)


def _outcomes(environment: Environment, operation: RestorePointId) -> dict[str, str | None]:
    """How each step of the operation ended; None where it left nothing."""
    names = names_of_opened(read_operation(environment, operation), find_plan(environment, operation))
    drafts = {name: read_step(environment, operation, name) for name in names}
    return {name: draft.step.outcome if draft is not None else None for name, draft in drafts.items()}

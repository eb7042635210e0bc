"""Takes one step of an operation: what it found is left, signed, in the store, whether it passed or not."""

from __future__ import annotations

from collections.abc import Callable

from holdfast.drill.outcome import Outcome, blames_backup, blames_operation
from holdfast.drill.records import StepDraft, read_step, write_step
from holdfast.environment import Environment
from holdfast.errors import DecryptError, HoldfastError, IntegrityError, ObjectMissing, SignatureError, TransientError
from holdfast.manifest.evidence import Finding, Step, TableRows
from holdfast.progress import Progress
from holdfast.values.ids import RestorePointId

_OF_THE_BACKUP = (DecryptError, IntegrityError, ObjectMissing, SignatureError)


def take_step(
    environment: Environment,
    operation: RestorePointId,
    name: str,
    title: str,
    work: Callable[[Progress], Outcome],
    progress: Progress,
    *,
    tables: Callable[[], tuple[TableRows, ...]] = tuple,
    may_be_tried_again: bool = True,
) -> Step:
    """Do a step's work, and leave what came of it in the store; a step that has passed is not done again.

    Raises TransientError where a task may be tried again, and whatever is none of Holdfast's errors. ``tables`` gives
    the rows that the work has counted, for the evidence.
    """
    standing = read_step(environment, operation, name)
    if standing is not None and standing.step.outcome == "passed":
        return standing.step
    started_at = environment.clock()
    try:
        outcome = work(progress)
    except TransientError as error:
        if may_be_tried_again:
            raise
        outcome = Outcome((_finding(error),))
    except HoldfastError as error:
        outcome = Outcome((_finding(error),))
    step = Step(
        name=name,
        title=title,
        started_at=started_at,
        seconds=round(max(0.0, (environment.clock() - started_at).total_seconds()), 3),
        outcome="passed" if outcome.passed else "failed",
        findings=outcome.findings,
        notes=outcome.notes,
        facts=dict(outcome.facts),
    )
    write_step(environment, operation, StepDraft(drill=str(operation), step=step, tables=tables()))
    return step


def _finding(error: HoldfastError) -> Finding:
    text = f"{error.message}. {error.hint}" if error.hint else error.message
    return blames_backup(text) if isinstance(error, _OF_THE_BACKUP) else blames_operation(text)

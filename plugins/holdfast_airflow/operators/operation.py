"""What the tasks of an operation on the live application share: they find it by its id, and take one step of it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from airflow.sdk import Context, XComArg
from airflow.sdk.exceptions import AirflowSkipException

from holdfast.errors import IntegrityError, PermanentError, RestoreError, UsageError
from holdfast_airflow.assets import tell_outlets
from holdfast_airflow.operators.base import EngineOperator, Facts
from holdfast_airflow.operators.drill import SHOWN, first_of

if TYPE_CHECKING:
    from holdfast.environment import Environment
    from holdfast.manifest.evidence import Finding, Step
    from holdfast.values.ids import RestorePointId

BEGUN = "begun"
"""The key under which a task that changes what is live leaves word that it has begun, whatever becomes of it."""


class OperationOperator(EngineOperator):
    """Base of the operators that belong to an operation that was opened; ``operation`` is its id."""

    template_fields: Sequence[str] = ("operation",)
    ui_color = "#f5e6e3"

    def __init__(self, *, operation: str | XComArg, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.operation = operation

    @contextmanager
    def opened(self) -> Iterator[tuple[Environment, RestorePointId]]:
        """The opened environment and the operation's id, as ``engine`` gives it."""
        from holdfast.values.ids import RestorePointId

        with self.engine() as environment:
            operation = RestorePointId.recognised(str(self.operation))
            if operation is None:
                raise UsageError(
                    "no operation was opened", hint="Mend what the opening task says, then trigger a new run."
                )
            yield environment, operation


class OperationStepOperator(OperationOperator):
    """Base of the operators that take one step; what a step found fails the task for good, an accident is retried.

    A step that the operation does not have is skipped.
    """

    step_name: str
    changes_live = False
    """Whether what is live is another thing afterwards: such a task is never tried again by itself."""

    def __init__(self, **kwargs: Any) -> None:
        # A person has to look first: what it did before it was cut off is not known to Airflow.
        super().__init__(**(kwargs | {"retries": 0} if self.changes_live else kwargs))

    def execute(self, context: Context) -> Facts:
        """The step's figures and findings, which are left behind when the task fails, too."""
        from holdfast.operation import read_operation, take_operation_step

        with self.opened() as (environment, operation):
            opened = read_operation(environment, operation)
            if self.changes_live:
                context["ti"].xcom_push(key=BEGUN, value=self.step_name)
            step = take_operation_step(environment, operation, self.step_name, progress=self.progress())
            if step is None:
                self._leave_no_word(context)
            else:
                facts = {**_facts(step), "operation": str(operation), "restore_point": opened.restore_point}
                self._tell(step)
                if step.outcome == "failed":
                    self.show(context, facts)
                    raise failure(f"{environment.title}: {step.title}", step.findings)
        if step is None:
            raise AirflowSkipException(f"operation {operation}: has no step {self.step_name}")
        said = {"operation": str(operation), "restore_point": opened.restore_point, "kind": opened.kind}
        tell_outlets(self, context, said)
        return facts

    def _leave_no_word(self, context: Context) -> None:
        if self.changes_live:
            context["ti"].xcom_push(key=BEGUN, value=None)

    def _tell(self, step: Step) -> None:
        for finding in step.findings:
            self.log.error("%s", finding.text)
        for note in step.notes:
            self.log.info("%s", note)
        self.log.info("%s: %s in %.1f s", step.title, step.outcome, step.seconds)


def failure(what: str, findings: Sequence[Finding]) -> PermanentError:
    """The error that fails a task because of what was found: it says whether the backup is to blame."""
    message = f"{what}: {first_of([finding.text for finding in findings]) or 'failed'}"
    if any(finding.about == "backup" for finding in findings):
        return IntegrityError(
            message, hint="Do not rely on this restore point: hold an older one that is good, and trigger a new run."
        )
    return RestoreError(
        message,
        hint="What is live is as it was, unless this says otherwise. Mend it, then trigger a new run.",
    )


def _facts(step: Step) -> Facts:
    return {
        "step": step.name,
        "outcome": step.outcome,
        "seconds": round(step.seconds, 3),
        "findings": [finding.text for finding in step.findings[:SHOWN]],
        "notes": list(step.notes[:SHOWN]),
        "figures": dict(step.facts),
    }

"""What the tasks of a drill share: they find it by its id, and what they found ends up in log, XCom and exit."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from airflow.sdk import Context, XComArg

from holdfast.errors import DrillError, IntegrityError, PermanentError, UsageError
from holdfast_airflow.operators.base import EngineOperator, Facts

if TYPE_CHECKING:
    from holdfast.environment import Environment
    from holdfast.manifest.evidence import Finding, Step
    from holdfast.values.ids import RestorePointId

SHOWN = 20
"""So many findings go into XCom; the log and the evidence have all."""
_NAMED = 3


class DrillOperator(EngineOperator):
    """Base of the operators that belong to a drill that was opened; ``drill`` is its id."""

    template_fields: Sequence[str] = ("drill",)
    ui_color = "#e3eaf5"

    def __init__(self, *, drill: str | XComArg, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.drill = drill

    @contextmanager
    def opened(self) -> Iterator[tuple[Environment, RestorePointId]]:
        """The opened environment and the drill's id, as ``engine`` gives it."""
        from holdfast.values.ids import RestorePointId

        with self.engine() as environment:
            drill = RestorePointId.recognised(str(self.drill))
            if drill is None:
                raise UsageError("no drill was opened", hint="Mend what pick says, then clear it and all behind it.")
            yield environment, drill


class DrillStepOperator(DrillOperator):
    """Base of the operators that take one step; a step that found something fails for good, an accident is retried."""

    def execute(self, context: Context) -> Facts:
        """The step's figures and findings, which are left behind when the task fails, too."""
        with self.opened() as (environment, drill):
            step = self.take(environment, drill)
            facts = _facts(step)
            self._tell(step)
            if step.outcome == "failed":
                self.show(context, facts)
                raise failure(f"{environment.title}: {step.title}", step.findings)
        return facts

    @abstractmethod
    def take(self, environment: Environment, drill: RestorePointId) -> Step:
        """Take the step; what is not as it must be stands in the step and is not raised."""

    def _tell(self, step: Step) -> None:
        for finding in step.findings:
            self.log.error("%s", finding.text)
        for note in step.notes:
            self.say(note)
        self.log.info("%s: %s in %.1f s", step.title, step.outcome, step.seconds)

    def say(self, note: str) -> None:
        """Log what is no fault, but worth a look."""
        self.log.warning("%s", note)


def failure(what: str, findings: Sequence[Finding]) -> PermanentError:
    """The error that fails a task because of what was found: it says whether the backup is to blame."""
    message = f"{what}: {first_of([finding.text for finding in findings]) or 'failed'}"
    if any(finding.about == "backup" for finding in findings):
        return IntegrityError(
            message, hint="Do not rely on this restore point: hold an older one that is good, and take a new one now."
        )
    return DrillError(
        message, hint="This says nothing against the backup. Mend it where the drill runs, then trigger a new run."
    )


def first_of(texts: Sequence[str]) -> str:
    """The first of them in one line, and how many more there are."""
    more = [f"and {len(texts) - _NAMED} more"] if len(texts) > _NAMED else []
    return "; ".join([*texts[:_NAMED], *more])


def _facts(step: Step) -> Facts:
    return {
        "step": step.name,
        "outcome": step.outcome,
        "seconds": round(step.seconds, 3),
        "findings": [finding.text for finding in step.findings[:SHOWN]],
        "notes": list(step.notes[:SHOWN]),
        "figures": dict(step.facts),
    }

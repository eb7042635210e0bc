"""What all operators share: one environment of one policy, opened with Airflow's connections."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from airflow.sdk import BaseOperator, Context, XComArg

from holdfast_airflow import metrics, runs
from holdfast_airflow.failures import reported
from holdfast_airflow.progress import LoggedProgress
from holdfast_airflow.triggers import tell_triggered

if TYPE_CHECKING:
    from holdfast.environment import Environment
    from holdfast.values.ids import RestorePointId

XCOM_RETURN_KEY = "return_value"
Facts = dict[str, Any]
"""Ids and small figures, for XCom and the run's page; never a path, a payload or a secret."""


class EngineOperator(BaseOperator):
    """Base of the operators that run a use case of the engine."""

    ui_color = "#e6f0ea"

    def __init__(self, *, policy_file: str, environment: str, **kwargs: Any) -> None:
        super().__init__(post_execute=metrics.tell_done, **kwargs)
        self.policy_file = policy_file
        self.environment = environment
        self.app: str | None = None
        self.worked_s: float | None = None
        self._is_working = False

    @contextmanager
    def engine(self) -> Iterator[Environment]:
        """The opened environment; its errors leave this block as Airflow's, logged with their hints."""
        # Imported here: every parse of a DAG file would pay for the engine's libraries otherwise.
        from holdfast.environment import open_environment
        from holdfast_airflow.connections import AirflowConnections

        self._is_working = True
        try:
            with metrics.timed(self), reported(self.log):
                context = runs.current()
                actor = runs.actor(context)
                opened = open_environment(Path(self.policy_file), self.environment, AirflowConnections(), actor)
                self.app = opened.app
                yield opened
                tell_triggered(self, opened, context)
        finally:
            self._is_working = False

    def progress(self) -> LoggedProgress:
        """A reporter that writes to the task's log."""
        return LoggedProgress(self.log)

    def show(self, context: Context, facts: Facts) -> None:
        """Leave facts where the run's page looks for them, though the task is about to fail."""
        context["ti"].xcom_push(key=XCOM_RETURN_KEY, value=facts)

    def on_kill(self) -> None:
        """SIGTERM: leave the engine through its clean-up; Airflow would let the work go on otherwise.

        SystemExit counts as a try, so a worker that shuts down gives the task to the next one.
        """
        if self._is_working:
            self._is_working = False
            raise SystemExit("ended by SIGTERM")


def is_yes(rendered: str | bool) -> bool:
    """What a template has made of a boolean param of the run."""
    return str(rendered) == "True"


class StepOperator(EngineOperator):
    """Base of the operators that do one step of a restore point that was opened."""

    template_fields: Sequence[str] = ("restore_point",)

    def __init__(self, *, restore_point: str | XComArg, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.restore_point = restore_point

    @contextmanager
    def step(self) -> Iterator[tuple[Environment, RestorePointId]]:
        """The opened environment and the restore point's id, as ``engine`` gives it."""
        from holdfast.values.ids import RestorePointId

        with self.engine() as environment:
            yield environment, RestorePointId.parse(str(self.restore_point))

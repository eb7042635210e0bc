"""What one DAG run did for its restore point, read from Airflow's own tables."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from airflow.models.dagrun import DagRun
from airflow.models.taskinstance import TaskInstance
from airflow.models.xcom import XCOM_RETURN_KEY, XComModel
from sqlalchemy import select
from sqlalchemy.orm import Session

from holdfast_airflow import operators

_COMMITS = operators.ManifestOperator.__name__


@dataclass(frozen=True, slots=True)
class Step:
    """One task of the run: its state, its tries and wall seconds, and what it returned.

    XCom can be written through Airflow's API, so its facts may have any form.
    """

    task_id: str
    operator: str
    state: str | None
    tries: int
    lasted_s: float | None
    facts: Mapping[str, Any]

    @property
    def worked_s(self) -> int | float | None:
        """The seconds that the engine took, as it says itself."""
        return _number(self.facts.get("seconds"))


@dataclass(frozen=True, slots=True)
class RunFacts:
    """A DAG run as its page shows it, steps in the order in which they run."""

    dag_id: str
    run_id: str
    state: str
    started_at: datetime | None
    ended_at: datetime | None
    steps: tuple[Step, ...]

    @property
    def is_finished(self) -> bool:
        """Whether nothing will change any more."""
        return self.state in ("success", "failed")

    @property
    def is_committed(self) -> bool:
        """Whether the restore point exists: its manifest was written."""
        return any(step.operator == _COMMITS and step.state == "success" for step in self.steps)

    @property
    def failed(self) -> tuple[str, ...]:
        """The tasks that failed, those that only waited for them apart."""
        return tuple(step.task_id for step in self.steps if step.state == "failed")

    @property
    def restore_point(self) -> str | None:
        """The restore point's id; None before it is opened."""
        found = self._latest("restore_point")
        return found if isinstance(found, str) else None

    def figure(self, name: str) -> int | float | None:
        """The latest step's figure of that name; None while no step has one."""
        return _number(self._latest(name))

    @property
    def deletions(self) -> tuple[tuple[str, str], ...]:
        """(id, reason) of what expire deleted."""
        found = self._latest("deleted")
        items = found if isinstance(found, list) else []
        return tuple((str(item.get("id")), str(item.get("reason"))) for item in items if isinstance(item, Mapping))

    def _latest(self, name: str) -> Any:
        return next((step.facts[name] for step in reversed(self.steps) if name in step.facts), None)


def read_run(session: Session, dag_id: str, run_id: str) -> RunFacts | None:
    """The run's facts; None where there is no such run. A run without Holdfast's tasks has no steps."""
    run = session.scalar(select(DagRun).where(DagRun.dag_id == dag_id, DagRun.run_id == run_id))
    if run is None:
        return None
    tasks = session.scalars(
        select(TaskInstance)
        .where(
            TaskInstance.dag_id == dag_id, TaskInstance.run_id == run_id, TaskInstance.operator.in_(operators.__all__)
        )
        .order_by(TaskInstance.priority_weight.desc(), TaskInstance.task_id)  # upstream tasks weigh more
    )
    returned = _returned(session, dag_id, run_id)
    return RunFacts(
        dag_id,
        run_id,
        str(run.state),
        run.start_date,
        run.end_date,
        tuple(_step(task, returned.get(task.task_id)) for task in tasks),
    )


def _returned(session: Session, dag_id: str, run_id: str) -> dict[str, Any]:
    """Return values by task: the stored JSON alone, since nothing of ours needs XCom's classes rebuilt."""
    rows = session.execute(
        select(XComModel.task_id, XComModel.value).where(
            XComModel.dag_id == dag_id, XComModel.run_id == run_id, XComModel.key == XCOM_RETURN_KEY
        )
    )
    return {row.task_id: row.value for row in rows}


def _step(task: TaskInstance, returned: Any) -> Step:
    if isinstance(returned, str):
        facts: Mapping[str, Any] = {"restore_point": returned}
    else:
        facts = returned if isinstance(returned, Mapping) else {}
    return Step(
        task.task_id,
        task.operator or "",
        str(task.state) if task.state else None,
        task.try_number,
        task.duration,
        facts,
    )


def _number(value: Any) -> int | float | None:
    return value if isinstance(value, int | float) and not isinstance(value, bool) else None

"""Reads what one DAG run did from Airflow's own tables."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from airflow.models.dagrun import DagRun
from airflow.models.taskinstance import TaskInstance
from airflow.models.xcom import XCOM_RETURN_KEY, XComModel
from sqlalchemy import select
from sqlalchemy.orm import Session

from holdfast_airflow import operators, sensors
from holdfast_airflow.ui.loose import Loose
from holdfast_airflow.ui.run_facts import RunFacts, Step

_OURS = (*operators.__all__, *sensors.__all__)


def read_run(session: Session, dag_id: str, run_id: str) -> RunFacts | None:
    """The run's facts; None where there is no such run. A run without Holdfast's tasks has no steps."""
    run = session.scalar(select(DagRun).where(DagRun.dag_id == dag_id, DagRun.run_id == run_id))
    if run is None:
        return None
    tasks = session.scalars(
        select(TaskInstance)
        .where(TaskInstance.dag_id == dag_id, TaskInstance.run_id == run_id, TaskInstance.operator.in_(_OURS))
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
        Loose.of(run.conf),
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
    # The opening task returns the id alone.
    facts: Mapping[str, Any] = {"restore_point": returned} if isinstance(returned, str) else returned
    return Step(
        task.task_id,
        task.operator or "",
        str(task.state) if task.state else None,
        task.try_number,
        task.duration,
        Loose.of(facts),
    )

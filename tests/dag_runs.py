"""Runs of DAGs in the test's own process, and what their tasks left in Airflow's tables."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from airflow.models.dagrun import DagRun
from airflow.models.xcom import XComModel
from airflow.sdk import DAG
from airflow.utils.session import create_session
from sqlalchemy import select

DUE = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)


def run_once(dag: DAG, due: datetime = DUE, **form: object) -> DagRun:
    """One run of all tasks; the same ``due`` is the same run again. ``form`` is what its trigger is given."""
    # A DAG that is tested in this way is stored without its deadlines, which Airflow then fails to look up.
    dag.deadline = []
    return dag.test(run_after=due, logical_date=due, run_conf=form or None)


def returned(run: DagRun, task_id: str) -> Any:
    """What a task of the run left in XCom."""
    with create_session() as session:
        return session.scalar(
            select(XComModel.value).where(
                XComModel.run_id == run.run_id,
                XComModel.dag_id == run.dag_id,
                XComModel.task_id == task_id,
                XComModel.key == "return_value",
            )
        )


def states(run: DagRun) -> dict[str, str | None]:
    """The state of each task of the run."""
    return {task.task_id: task.state for task in run.get_task_instances()}

"""Tells the audit trail, once for each run, which person has triggered it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow.sdk import Context

from holdfast_airflow import runs

if TYPE_CHECKING:
    from airflow.sdk import BaseOperator

    from holdfast.environment import Environment


def tell_triggered(operator: BaseOperator, environment: Environment, context: Context | None) -> None:
    """Record who triggered the run whose first task has done its work; nothing of what a schedule or event started.

    A backup does not fail because that cannot be recorded; the task's log says so.
    """
    if context is None or operator.upstream_task_ids or not runs.is_by_hand(context):
        return
    from holdfast.audit import Act, append_if_possible

    origin = runs.origin(context)
    act = Act("triggered", operator.dag_id, once=f"{origin} triggered", since=runs.opened_at(context))
    trouble = append_if_possible(environment, act)
    if trouble is not None:
        operator.log.warning("%s", trouble)

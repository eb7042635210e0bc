"""Undoes a recovery of rows: plan, ask, take back in one transaction (undo_rows.md)."""

from __future__ import annotations

from typing import Final

from airflow.sdk import DAG

from holdfast_airflow import undo_form
from holdfast_airflow.operators import OpenUndoOperator
from holdfast_dags import runbook
from holdfast_dags.applied_steps import applied_steps
from holdfast_dags.operation_steps import operation_dag
from holdfast_dags.protected import Protected

TIER: Final = "undo_rows"


def build(protected: Protected) -> DAG:
    """The DAG of one environment: by hand only, with a form."""
    with operation_dag(protected, TIER, undo_form.params()) as dag:
        applied_steps(protected, OpenUndoOperator(task_id="open", **protected.operator_arguments))
    return runbook.attached(dag, TIER, protected, is_operation=True)

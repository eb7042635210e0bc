"""Restores chosen tables into the live database: compare, ask, apply in one transaction (restore_tables.md)."""

from __future__ import annotations

from typing import Final

from airflow.sdk import DAG

from holdfast_airflow import tables_form
from holdfast_airflow.operators import OpenTablesOperator
from holdfast_dags import runbook
from holdfast_dags.applied_steps import applied_steps
from holdfast_dags.operation_steps import operation_dag
from holdfast_dags.protected import Protected

TIER: Final = "restore_tables"


def build(protected: Protected) -> DAG:
    """The DAG of one environment: by hand only, with a form."""
    with operation_dag(protected, TIER, tables_form.params(protected.choices)) as dag:
        applied_steps(protected, OpenTablesOperator(task_id="open", **protected.operator_arguments))
    return runbook.attached(dag, TIER, protected, is_operation=True)

"""The nightly backup: guard the store → open → inventory → dump → media → verify list → manifest → expire."""

from __future__ import annotations

from airflow.sdk import DAG, chain

from holdfast_airflow.operators import OpenRestorePointOperator
from holdfast_dags import runbook
from holdfast_dags.protected import Protected
from holdfast_dags.restore_point_steps import expire, store_guard, take_restore_point
from holdfast_dags.tier_dag import tier_dag

TIER = "nightly"


def build(protected: Protected) -> DAG:
    """The nightly DAG of one environment."""
    with tier_dag(protected, TIER) as dag:
        open = OpenRestorePointOperator(task_id="open", tier=TIER, **protected.operator_arguments)
        chain(store_guard(protected), *take_restore_point(protected, open), expire(protected))
    return runbook.attached(dag, TIER, protected)

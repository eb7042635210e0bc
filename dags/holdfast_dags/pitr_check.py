"""The check of point-in-time recovery: to an instant by chance, for real, compared, without people (pitr_check.md)."""

from __future__ import annotations

from typing import Final

from airflow.sdk import DAG

from holdfast_airflow import pitr_form
from holdfast_airflow.operators import OpenPitrDrillOperator
from holdfast_dags import runbook
from holdfast_dags.drill_steps import drill_steps
from holdfast_dags.protected import Protected
from holdfast_dags.tier_dag import tier_dag

TIER: Final = "pitr_check"


def build(protected: Protected) -> DAG:
    """The recovery check DAG of one environment."""
    with tier_dag(protected, TIER, params=pitr_form.check_params()) as dag:
        pick = OpenPitrDrillOperator(task_id="pick", kind=TIER, **protected.operator_arguments)
        drill_steps(protected, TIER, pick)
    return runbook.attached(dag, TIER, protected)

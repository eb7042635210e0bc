"""The restore check: each new restore point is restored for real and compared, without people (restore_check.md)."""

from __future__ import annotations

from typing import Final

from airflow.sdk import DAG

from holdfast_airflow import drill_form
from holdfast_airflow.assets import restore_points
from holdfast_airflow.operators import OutcomeOperator
from holdfast_dags import runbook
from holdfast_dags.drill_steps import drill_steps, pick_restore_point
from holdfast_dags.protected import Protected
from holdfast_dags.tier_dag import RECOVERY_QUEUE, tier_dag

TIER: Final = "restore_check"
_CHECKED = "{{ ti.xcom_pull(task_ids='evidence')['restore_point'] }}"


def build(protected: Protected) -> DAG:
    """The restore check DAG of one environment: started by its restore points, and by the tier's schedule if any."""
    asset = restore_points(protected.app, protected.environment)
    with tier_dag(protected, TIER, params=drill_form.check_params(), asset=asset) as dag:
        outcome = OutcomeOperator(
            task_id="outcome", restore_point=_CHECKED, queue=RECOVERY_QUEUE, **protected.operator_arguments
        )
        drill_steps(protected, TIER, pick_restore_point(protected, TIER)) >> outcome
    return runbook.attached(dag, TIER, protected)

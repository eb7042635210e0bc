"""The drill of point-in-time recovery: recover, check, record evidence, and have people agree (pitr_drill.md)."""

from __future__ import annotations

from typing import Final

from airflow.sdk import DAG, chain

from holdfast_airflow import pitr_form
from holdfast_airflow.operators import CloseDrillOperator, OpenPitrDrillOperator
from holdfast_dags import runbook
from holdfast_dags.drill_steps import DRILLS_AT_ONCE, PICKED, drill_gates, drill_steps
from holdfast_dags.protected import Protected
from holdfast_dags.tier_dag import tier_dag

TIER: Final = "pitr_drill"


def build(protected: Protected) -> DAG:
    """The recovery drill DAG of one environment: by hand, with a form."""
    with tier_dag(protected, TIER, params=pitr_form.drill_params(), runs_at_once=DRILLS_AT_ONCE) as dag:
        pick = OpenPitrDrillOperator(task_id="pick", kind=TIER, **protected.operator_arguments)
        evidence = drill_steps(protected, TIER, pick)
        close = CloseDrillOperator(task_id="close", drill=PICKED, **protected.operator_arguments)
        chain(evidence, *drill_gates(protected), close)
    return runbook.attached(dag, TIER, protected)

"""The restore drill: restore, reconcile, check, ask, record evidence, and have people agree (restore_drill.md)."""

from __future__ import annotations

from typing import Final

from airflow.sdk import DAG, chain

from holdfast_airflow import drill_form
from holdfast_airflow.operators import CloseDrillOperator
from holdfast_dags import runbook
from holdfast_dags.drill_steps import (
    DRILLS_AT_ONCE,
    PICKED,
    commands_of,
    drill_gates,
    drill_steps,
    pick_restore_point,
)
from holdfast_dags.protected import Protected
from holdfast_dags.tier_dag import tier_dag

TIER: Final = "restore_drill"


def build(protected: Protected) -> DAG:
    """The drill DAG of one environment: by its schedule, and by hand with a form."""
    form = drill_form.drill_params(
        has_media=protected.policy.media is not None, is_scheduled=protected.tiers[TIER].schedule is not None
    )
    with tier_dag(protected, TIER, params=form, runs_at_once=DRILLS_AT_ONCE) as dag:
        evidence = drill_steps(protected, TIER, pick_restore_point(protected, TIER))
        close = CloseDrillOperator(task_id="close", drill=PICKED, **protected.operator_arguments)
        chain(evidence, *drill_gates(protected), close)
    return runbook.attached(dag, TIER, protected, commands=commands_of(protected, TIER))

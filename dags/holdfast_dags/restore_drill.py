"""The restore drill: restore, reconcile, check, ask, record evidence, and have people agree (restore_drill.md)."""

from __future__ import annotations

from typing import Final

from airflow.sdk import DAG, BaseOperator, chain

from holdfast.drill import gates_of
from holdfast_airflow import drill_form
from holdfast_airflow.operators import CloseDrillOperator
from holdfast_airflow.sensors import DrillApprovalSensor
from holdfast_dags import runbook
from holdfast_dags.drill_steps import PICKED, commands_of, drill_steps
from holdfast_dags.protected import Protected
from holdfast_dags.tier_dag import tier_dag

TIER: Final = "restore_drill"
# A drill that waits for people over a weekend must not keep the next one from whoever needs it.
_RUNS_AT_ONCE: Final = 3


def build(protected: Protected) -> DAG:
    """The drill DAG of one environment: by its schedule, and by hand with a form."""
    form = drill_form.drill_params(
        has_media=protected.policy.media is not None, is_scheduled=protected.tiers[TIER].schedule is not None
    )
    with tier_dag(protected, TIER, params=form, runs_at_once=_RUNS_AT_ONCE) as dag:
        evidence = drill_steps(protected, TIER)
        close = CloseDrillOperator(task_id="close", drill=PICKED, **protected.operator_arguments)
        chain(evidence, *_gates(protected), close)
    return runbook.attached(dag, TIER, protected, commands=commands_of(protected, TIER))


def _gates(protected: Protected) -> list[BaseOperator]:
    """One gate for each person who has to agree; they hold no worker while they wait."""
    return [
        DrillApprovalSensor(
            task_id=gate, subject_id=PICKED, gate=gate, position=position, **protected.operator_arguments
        )
        for position, gate in enumerate(gates_of(protected.policy), start=1)
    ]

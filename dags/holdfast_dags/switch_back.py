"""The way back after a restore: what it has put aside becomes live again (switch_back.md)."""

from __future__ import annotations

from typing import Final

from airflow.sdk import DAG, chain

from holdfast_airflow.operators import (
    CheckLiveOperator,
    OpenSwitchBackOperator,
    PlanOperator,
    SwitchBackOperator,
    SwitchMediaBackOperator,
)
from holdfast_airflow.restore_forms import switch_back_params
from holdfast_dags import runbook
from holdfast_dags.operation_steps import evidence, gates, operation_dag, step, steps
from holdfast_dags.protected import Protected

TIER: Final = "switch_back"


def build(protected: Protected) -> DAG:
    """The DAG of one environment that switches back."""
    has_media = protected.policy.media is not None
    with operation_dag(protected, TIER, switch_back_params(has_media=has_media)) as dag:
        open = OpenSwitchBackOperator(task_id="open", **protected.operator_arguments)
        back = [SwitchBackOperator, *([SwitchMediaBackOperator] if has_media else [])]
        acting = steps(protected, open, [*back, CheckLiveOperator])
        chain(
            open,
            step(protected, open, PlanOperator),
            *gates(protected, open),
            *acting,
            evidence(protected, open, acting),
        )
    return runbook.attached(dag, TIER, protected, is_operation=True)

"""The rollback of a deployment: compare definitions, and restore only where they have changed (rollback.md)."""

from __future__ import annotations

from typing import Final

from airflow.sdk import DAG, chain

from holdfast_airflow.operators import (
    CheckLiveOperator,
    NeededOperator,
    OpenRollbackOperator,
    PlanOperator,
    RestoreBesideOperator,
    SwitchOperator,
)
from holdfast_airflow.restore_forms import rollback_params
from holdfast_dags import runbook
from holdfast_dags.operation_steps import evidence, gates, operation_dag, rehearsal, snapshot, step, steps
from holdfast_dags.protected import Protected
from holdfast_dags.restore_point_steps import returned_by

TIER: Final = "rollback"


def build(protected: Protected) -> DAG:
    """The rollback DAG of one environment."""
    place = protected.operator_arguments
    with operation_dag(protected, TIER, rollback_params()) as dag:
        open = OpenRollbackOperator(task_id="open", **place)
        acting = steps(protected, open, [RestoreBesideOperator, SwitchOperator, CheckLiveOperator])
        # Where the definitions are the same, the database stays as it is, and it ends here.
        needed = NeededOperator(task_id="needed", operation=returned_by(open), kept=["evidence"], **place)
        chain(
            open,
            step(protected, open, PlanOperator),
            needed,
            *rehearsal(protected, open),
            snapshot(protected, open),
            *gates(protected, open),
            *acting,
            evidence(protected, open, acting),
        )
    return runbook.attached(dag, TIER, protected, is_operation=True)

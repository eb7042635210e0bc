"""The restore of what is live: plan, rehearse, snapshot, ask, restore beside, switch, check (restore.md)."""

from __future__ import annotations

from typing import Final

from airflow.sdk import DAG, chain

from holdfast_airflow.operators import (
    CheckLiveOperator,
    NeededOperator,
    OpenRestoreOperator,
    PlanOperator,
    RestoreBesideOperator,
    RestoreMediaBesideOperator,
    SwitchMediaOperator,
    SwitchOperator,
)
from holdfast_airflow.restore_forms import restore_params
from holdfast_dags import runbook
from holdfast_dags.operation_steps import evidence, gates, operation_dag, rehearsal, snapshot, step, steps
from holdfast_dags.protected import Protected
from holdfast_dags.restore_point_steps import returned_by

TIER: Final = "restore"


def build(protected: Protected) -> DAG:
    """The restore DAG of one environment."""
    place, has_media = protected.operator_arguments, protected.policy.media is not None
    with operation_dag(protected, TIER, restore_params(protected.choices, has_media=has_media)) as dag:
        open = OpenRestoreOperator(task_id="open", **place)
        rest = [RestoreBesideOperator, *([RestoreMediaBesideOperator] if has_media else [])]
        switch = [SwitchOperator, *([SwitchMediaOperator] if has_media else [])]
        acting = steps(protected, open, [*rest, *switch, CheckLiveOperator])
        # With the target rehearsal it ends here.
        needed = NeededOperator(task_id="needed", operation=returned_by(open), kept=["evidence"], **place)
        chain(
            open,
            step(protected, open, PlanOperator),
            *rehearsal(protected, open),
            needed,
            snapshot(protected, open),
            *gates(protected, open),
            *acting,
            evidence(protected, open, acting),
        )
    return runbook.attached(dag, TIER, protected, is_operation=True)

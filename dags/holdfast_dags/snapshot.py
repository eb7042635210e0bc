"""The labelled snapshot before a deployment or migration: a restore point, its row counts, its restore check if asked.

By hand or by a pipeline, never by a schedule (snapshot.md is its runbook).
"""

from __future__ import annotations

from airflow.sdk import DAG, BaseOperator, TriggerRule, chain

from holdfast.errors import PolicyError
from holdfast_airflow import snapshot_form
from holdfast_airflow.operators import OpenSnapshotOperator, OutcomeOperator, RowCountsOperator
from holdfast_airflow.sensors import RestoreCheckSensor
from holdfast_dags import runbook
from holdfast_dags.protected import Protected
from holdfast_dags.restore_point_steps import OPENED, expire, store_guard, take_restore_point
from holdfast_dags.tier_dag import tier_dag

TIER = "snapshot"


def build(protected: Protected) -> DAG:
    """The snapshot DAG of one environment; raises PolicyError where it has a schedule, which could give no label."""
    if protected.tiers[TIER].schedule is not None:
        field = f"environments.{protected.environment}.tiers.{TIER}.schedule"
        raise PolicyError(f"policy {protected.policy_file}: {field}: snapshots are taken by hand, for each has a label")
    place = protected.operator_arguments
    with tier_dag(protected, TIER, params=snapshot_form.params()) as dag:
        open = OpenSnapshotOperator(task_id="open", **place)
        row_counts = RowCountsOperator(task_id="row_counts", restore_point=OPENED, **place)
        outcome = OutcomeOperator(task_id="outcome", restore_point=OPENED, **place)
        chain(
            store_guard(protected),
            *take_restore_point(protected, open),
            row_counts,
            *_restore_check(protected),
            # Nobody need have asked for the restore check.
            expire(protected, trigger_rule=TriggerRule.NONE_FAILED),
            outcome,
        )
    return runbook.attached(dag, TIER, protected)


def _restore_check(protected: Protected) -> list[BaseOperator]:
    """Waits for the restore check when the form asks for it; nothing where the policy has no such tier."""
    if snapshot_form.RESTORE_CHECK not in protected.tiers:
        return []
    wanted = f"{{{{ params.{snapshot_form.RESTORE_CHECK} }}}}"
    sensor = RestoreCheckSensor(
        task_id="restore_check",
        restore_point=OPENED,
        is_wanted=wanted,
        policy_file=str(protected.policy_file),
        environment=protected.environment,
    )
    return [sensor]

"""The guarded migration: snapshot, migrate, check; where that fails, ask and restore (guarded_migration.md)."""

from __future__ import annotations

from typing import Final

from airflow.sdk import DAG, BaseOperator, TaskGroup, TriggerRule, chain

from holdfast_airflow.operators import (
    CheckLiveOperator,
    FollowUpOperator,
    MigrateOperator,
    OpenMigrationOperator,
    OpenReturnOperator,
    PlanOperator,
    RestoreBesideOperator,
    SwitchOperator,
)
from holdfast_airflow.restore_forms import RESTORE_CHECK, migration_params
from holdfast_airflow.sensors import RestoreCheckSensor
from holdfast_dags import runbook
from holdfast_dags.operation_steps import change_window, evidence, gates, operation_dag, snapshot, step
from holdfast_dags.protected import Protected
from holdfast_dags.restore_point_steps import returned_by

TIER: Final = "guarded_migration"


def build(protected: Protected) -> DAG:
    """The DAG of one environment whose policy names a migration command."""
    form = migration_params(has_restore_check=RESTORE_CHECK in protected.tiers)
    with operation_dag(protected, TIER, form) as dag:
        open = OpenMigrationOperator(
            task_id="open", trigger_rule=TriggerRule.NONE_FAILED, **protected.operator_arguments
        )
        migrate = step(protected, open, MigrateOperator)
        chain(
            snapshot(protected),
            *_restore_check(protected),
            open,
            step(protected, open, PlanOperator),
            change_window(protected, open, "await_migration_window"),
            migrate,
        )
        back = _way_back(protected, open, migrate)
        # After the way back was opened, which looks at what the evidence then puts an end to.
        chain([migrate, back], evidence(protected, open, [migrate]))
    return runbook.attached(dag, TIER, protected, is_operation=True)


def _restore_check(protected: Protected) -> list[BaseOperator]:
    """Waits for the snapshot's restore check where the form asks for it; nothing where the policy has no such tier."""
    if RESTORE_CHECK not in protected.tiers:
        return []
    sensor = RestoreCheckSensor(
        task_id=RESTORE_CHECK,
        restore_point="{{ ti.xcom_pull(task_ids='snapshot.open') }}",
        is_wanted=f"{{{{ params.{RESTORE_CHECK} }}}}",
        policy_file=str(protected.policy_file),
        environment=protected.environment,
    )
    return [sensor]


def _way_back(protected: Protected, open: BaseOperator, migrate: BaseOperator) -> BaseOperator:
    """Asks whether the snapshot is to be restored where the migration has failed; returns the task that begins it."""
    with TaskGroup("way_back", prefix_group_id=False, tooltip="Only where the migration has failed"):
        open_return = OpenReturnOperator(
            task_id="open_return",
            operation=returned_by(open),
            trigger_rule=TriggerRule.ONE_FAILED,
            **protected.operator_arguments,
        )
        acting = [
            step(protected, open_return, kind)
            for kind in (RestoreBesideOperator, SwitchOperator, FollowUpOperator, CheckLiveOperator)
        ]
        chain(
            open_return,
            step(protected, open_return, PlanOperator, task_id="plan_return"),
            *gates(protected, open_return),
            *acting,
            evidence(protected, open_return, acting, task_id="evidence_return", is_expected=False),
        )
    migrate >> open_return
    return open_return

"""The base backup: guard the store → copy the cluster → commit it once its WAL is stored → expire (base_backup.md)."""

from __future__ import annotations

from airflow.sdk import DAG, Param, chain

from holdfast_airflow.assets import base_backups, wal_gaps
from holdfast_airflow.operators import CommitBaseBackupOperator, StoreBaseBackupOperator
from holdfast_dags import runbook
from holdfast_dags.protected import Protected
from holdfast_dags.restore_point_steps import expire, returned_by, store_guard
from holdfast_dags.tier_dag import tier_dag

TIER = "base_backup"
_FULL = Param(
    False,
    type="boolean",
    title="A full one",
    description="Copy everything, though an incremental base backup would do",
)


def build(protected: Protected) -> DAG:
    """The base backup DAG of one environment: by its schedule, by hand, and whenever WAL has a gap."""
    place, policy = protected.operator_arguments, protected.policy
    asset = wal_gaps(protected.app, protected.environment)
    with tier_dag(protected, TIER, params={"full": _FULL}, asset=asset) as dag:
        store = StoreBaseBackupOperator(task_id="base_backup", full="{{ params.full }}", **place)
        commit = CommitBaseBackupOperator(
            task_id="commit_base_backup",
            base_backup=returned_by(store),
            timeout=policy.wal.wait_for_wal.as_seconds,
            outlets=[base_backups(protected.app, protected.environment)],
            **place,
        )
        chain(store_guard(protected), store, commit, expire(protected))
    return runbook.attached(dag, TIER, protected)

"""The media snapshot between two nights: guard the store → sync → expire (media.md is its runbook)."""

from __future__ import annotations

from airflow.sdk import DAG, Param, chain

from holdfast_airflow.assets import media_snapshots
from holdfast_airflow.operators import MediaSyncOperator
from holdfast_dags import runbook
from holdfast_dags.protected import Protected
from holdfast_dags.restore_point_steps import expire, store_guard
from holdfast_dags.tier_dag import tier_dag

TIER = "media"
_FORCE = Param(
    False,
    type="boolean",
    title="Believe a source that is empty",
    description="Only where all uploaded files are really meant to be gone",
)


def build(protected: Protected) -> DAG:
    """The media DAG of one environment."""
    with tier_dag(protected, TIER, params={"force": _FORCE}) as dag:
        media_sync = MediaSyncOperator(
            task_id="media_sync",
            force="{{ params.force }}",
            outlets=[media_snapshots(protected.app, protected.environment)],
            **protected.operator_arguments,
        )
        chain(store_guard(protected), media_sync, expire(protected))
    return runbook.attached(dag, TIER, protected)

"""The integrity check of stored media: every shard, or a rolling share of them, read and compared (media_check.md)."""

from __future__ import annotations

from airflow.sdk import DAG

from holdfast_airflow.operators import MediaCheckOperator
from holdfast_dags import runbook
from holdfast_dags.protected import Protected
from holdfast_dags.tier_dag import RECOVERY_QUEUE, tier_dag

TIER = "media_check"


def build(protected: Protected) -> DAG:
    """The media check DAG of one environment."""
    with tier_dag(protected, TIER) as dag:
        MediaCheckOperator(
            task_id="media_check",
            fraction=protected.tiers[TIER].fraction,
            queue=RECOVERY_QUEUE,
            **protected.operator_arguments,
        )
    return runbook.attached(dag, TIER, protected)

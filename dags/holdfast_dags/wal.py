"""Continuous WAL: one run follows upon the other, each streams for the policy's ``wal.run`` (wal.md is its runbook)."""

from __future__ import annotations

from datetime import timedelta
from types import MappingProxyType

from airflow.sdk import DAG

from holdfast_airflow.assets import wal_gaps
from holdfast_airflow.operators import StreamWalOperator
from holdfast_dags import runbook
from holdfast_dags.protected import Protected
from holdfast_dags.tier_dag import WAL_QUEUE, tier_dag

TIER = "wal"
# Soon after a killed worker or a restarted server; about ten minutes in all, so that a run that cannot work is red by
# then. The next one starts within a second of it: these pauses are all that keeps failing runs apart.
_RETRIES = MappingProxyType(
    {
        "retries": 7,
        "retry_delay": timedelta(seconds=5),
        "retry_exponential_backoff": 2,
        "max_retry_delay": timedelta(minutes=5),
    }
)


def build(protected: Protected) -> DAG:
    """The WAL DAG of one environment."""
    with tier_dag(protected, TIER) as dag:
        StreamWalOperator(
            task_id="stream_wal",
            gaps=wal_gaps(protected.app, protected.environment),
            queue=WAL_QUEUE,
            **_RETRIES,
            **protected.operator_arguments,
        )
    return runbook.attached(dag, TIER, protected)

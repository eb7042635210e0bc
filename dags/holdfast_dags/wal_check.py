"""The check of stored WAL: no gap from each kept base backup on, and readable to its last byte (wal_check.md)."""

from __future__ import annotations

from airflow.sdk import DAG, Param

from holdfast_airflow.operators import WalCheckOperator
from holdfast_dags import runbook
from holdfast_dags.protected import Protected
from holdfast_dags.tier_dag import RECOVERY_QUEUE, tier_dag

TIER = "wal_check"
_EVERYTHING = Param(
    False,
    type="boolean",
    title="Read everything again",
    description="Also what an earlier check has read and found whole",
)


def build(protected: Protected) -> DAG:
    """The WAL check DAG of one environment."""
    with tier_dag(protected, TIER, params={"everything": _EVERYTHING}) as dag:
        WalCheckOperator(
            task_id="wal_check",
            everything="{{ params.everything }}",
            queue=RECOVERY_QUEUE,
            **protected.operator_arguments,
        )
    return runbook.attached(dag, TIER, protected)

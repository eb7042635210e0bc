"""Finds a corruption's first instant, and the newest restore point from before it (find_instant.md is its runbook).

It only reads, and asks nobody: it is the question before a restore of tables or rows.
"""

from __future__ import annotations

from airflow.sdk import DAG

from holdfast_airflow import instant_form
from holdfast_airflow.operators import FirstInstantOperator
from holdfast_dags import runbook
from holdfast_dags.protected import Protected
from holdfast_dags.tier_dag import tier_dag

TIER = "find_instant"
# Whoever looks for one corruption must not wait until somebody else has found another.
_RUNS_AT_ONCE = 3


def build(protected: Protected) -> DAG:
    """The DAG of one environment: by hand only, with a form."""
    with tier_dag(protected, TIER, params=instant_form.params(), runs_at_once=_RUNS_AT_ONCE) as dag:
        FirstInstantOperator(task_id="find_instant", **protected.operator_arguments)
    return runbook.attached(dag, TIER, protected)

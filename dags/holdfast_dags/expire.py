"""Expiry by hand: what the policy keeps no longer is shown, or deleted (expire.md is its runbook).

Every environment has this DAG, whatever its tiers. Backups expire old ones by themselves; this is for whoever wants
to know first, or has just shortened a rule.
"""

from __future__ import annotations

from airflow.sdk import DAG, Param, chain

from holdfast_dags import runbook
from holdfast_dags.protected import Protected
from holdfast_dags.restore_point_steps import drop_replaced, expire
from holdfast_dags.tier_dag import tier_dag

TIER = "expire"
_DRY_RUN = Param(
    True,
    type="boolean",
    title="Only say what would be deleted",
    description="Untick to delete what the policy keeps no longer: nothing brings it back",
)


def build(protected: Protected) -> DAG:
    """The expire DAG of one environment."""
    with tier_dag(protected, TIER, params={"dry_run": _DRY_RUN}) as dag:
        chain(
            expire(protected, is_dry_run="{{ params.dry_run }}"),
            *drop_replaced(protected, is_dry_run="{{ params.dry_run }}"),
        )
    return runbook.attached(dag, TIER, protected)

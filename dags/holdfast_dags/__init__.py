"""Builds an app's DAGs from the policy beside its module: for each environment one per tier, and one for expiry."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType

from airflow.sdk import DAG

from holdfast.errors import PolicyError
from holdfast.policy import Policy, load_policy
from holdfast_dags import expire, media, media_check, monthly, nightly, restore_check, restore_drill, snapshot
from holdfast_dags.protected import Protected

TIERS: Mapping[str, Callable[[Protected], DAG]] = MappingProxyType(
    {
        module.TIER: module.build
        for module in (nightly, monthly, snapshot, media, media_check, restore_check, restore_drill)
    }
)
"""The tiers that are run, each by the module that reads like its runbook."""

UNDECLARED: Mapping[str, Callable[[Protected], DAG]] = MappingProxyType({expire.TIER: expire.build})
"""What every environment has besides, without a line in its policy."""


def protect(dag_file: str) -> dict[str, DAG]:
    """The DAGs of the policy that lies beside ``dag_file`` under the same name, by DAG id.

    Called as ``globals().update(protect(__file__))``. Raises PolicyError for a policy that cannot be
    used: Airflow then shows its message as the import error of that one file.
    """
    policy_file = Path(dag_file).with_suffix(".yaml")
    policy = _load(policy_file)
    environments = (Protected(policy_file, policy.app, name, section) for name, section in policy.environments.items())
    dags = (dag for environment in environments for dag in _dags(environment))
    return {dag.dag_id: dag for dag in dags}


def _dags(environment: Protected) -> list[DAG]:
    builds = [*(TIERS[tier] for tier in environment.tiers if tier in TIERS), *UNDECLARED.values()]
    return [build(environment) for build in builds]


def _load(policy_file: Path) -> Policy:
    """The policy; its errors without their causes, which would show its values to all who see import errors."""
    try:
        return load_policy(policy_file)
    except PolicyError as error:
        raise PolicyError(f"{error.message}{f' ({error.hint})' if error.hint else ''}") from None

"""Builds an app's DAGs from the policy beside its module: one per tier, one for expiry, and those that change live."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType

from airflow.sdk import DAG

from holdfast.errors import PolicyError
from holdfast.policy import Policy, load_policy
from holdfast.policy.model import DUMP_TIERS
from holdfast_dags import (
    base_backup,
    expire,
    find_instant,
    guarded_migration,
    media,
    media_check,
    monthly,
    nightly,
    pitr_check,
    pitr_drill,
    recover_rows,
    restore,
    restore_check,
    restore_drill,
    restore_tables,
    rollback,
    snapshot,
    switch_back,
    undo_rows,
    wal,
    wal_check,
)
from holdfast_dags.protected import Protected

TIERS: Mapping[str, Callable[[Protected], DAG]] = MappingProxyType(
    {
        module.TIER: module.build
        for module in (
            nightly,
            monthly,
            snapshot,
            wal,
            base_backup,
            wal_check,
            media,
            media_check,
            restore_check,
            restore_drill,
            pitr_check,
        )
    }
)
"""The tiers that are run, each by the module that reads like its runbook."""

OPERATIONS: Mapping[str, Callable[[Protected], DAG]] = MappingProxyType(
    {
        module.TIER: module.build
        for module in (
            restore,
            switch_back,
            find_instant,
            restore_tables,
            recover_rows,
            undo_rows,
            rollback,
            guarded_migration,
        )
    }
)
"""What may change the live application, or leads to it, in every environment that takes restore points."""

UNDECLARED: Mapping[str, Callable[[Protected], DAG]] = MappingProxyType(
    {expire.TIER: expire.build, pitr_drill.TIER: pitr_drill.build, **OPERATIONS}
)
"""What an environment has besides, without a line in its policy's tiers."""


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
    declared = [TIERS[tier] for tier in environment.tiers if tier in TIERS]
    besides = [build for tier, build in UNDECLARED.items() if _is_possible(tier, environment)]
    return [build(environment) for build in (*declared, *besides)]


def _is_possible(tier: str, environment: Protected) -> bool:
    """Nothing is restored where nothing is backed up, and nothing migrated by a command that nobody has named."""
    if tier == pitr_drill.TIER:
        return base_backup.TIER in environment.tiers
    if tier == guarded_migration.TIER and environment.policy.migration is None:
        return False
    return tier not in OPERATIONS or any(name in environment.tiers for name in DUMP_TIERS)


def _load(policy_file: Path) -> Policy:
    """The policy; its errors without their causes, which would show its values to all who see import errors."""
    try:
        return load_policy(policy_file)
    except PolicyError as error:
        raise PolicyError(f"{error.message}{f' ({error.hint})' if error.hint else ''}") from None

"""What the policies in dags/ protect: the environments whose nightly backup is to be taken."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from holdfast.errors import PolicyError
from holdfast.policy import EnvironmentPolicy, load_policy

TIER = "nightly"
_RESTORE_CHECK = "restore_check"
_BASE_BACKUP = "base_backup"
_WAL = "wal"


@dataclass(frozen=True, slots=True)
class ProtectedEnvironment:
    """One environment of an app that has the nightly tier."""

    policy_file: Path
    app: str
    name: str
    policy: EnvironmentPolicy

    @property
    def title(self) -> str:
        """``app environment``, for people."""
        return f"{self.app} {self.name}"

    @property
    def module(self) -> str:
        """The name of the file that Airflow reads for it."""
        return self.policy_file.with_suffix(".py").name

    @property
    def dag_id(self) -> str:
        """The DAG that takes its nightly backup."""
        return self._dag_id(TIER)

    @property
    def has_restore_check(self) -> bool:
        """Does each new restore point start a restore check?"""
        return _RESTORE_CHECK in self.policy.tiers

    @property
    def check_dag_id(self) -> str:
        """The DAG that restores and checks it."""
        return self._dag_id(_RESTORE_CHECK)

    @property
    def has_base_backups(self) -> bool:
        """Are base backups taken, and WAL streamed?"""
        return _BASE_BACKUP in self.policy.tiers

    @property
    def base_backup_dag_id(self) -> str:
        """The DAG that takes base backups."""
        return self._dag_id(_BASE_BACKUP)

    @property
    def wal_dag_id(self) -> str:
        """The DAG that streams WAL."""
        return self._dag_id(_WAL)

    def _dag_id(self, tier: str) -> str:
        return f"{self.app}-{self.name}.{tier}"


@dataclass(frozen=True, slots=True)
class Protected:
    """All environments of the usable policies, and what is wrong with the others."""

    environments: tuple[ProtectedEnvironment, ...]
    faults: tuple[str, ...]


def read_policies(dags: Path, variables: Mapping[str, str]) -> Protected:
    """Read every policy that has a module of its own name beside it, as Airflow does."""
    environments: list[ProtectedEnvironment] = []
    faults: list[str] = []
    for file in sorted(dags.glob("*.yaml")):
        if file.name.endswith(".inventory.yaml"):
            continue
        if not file.with_suffix(".py").exists():
            faults.append(f"policy {file}: without a module {file.stem}.py beside it, Airflow does not see it")
            continue
        try:
            policy = load_policy(file, variables)
        except PolicyError as error:
            faults.append(f"{error.message}{f' ({error.hint})' if error.hint else ''}")
            continue
        environments += [
            ProtectedEnvironment(file, policy.app, name, section)
            for name, section in policy.environments.items()
            if TIER in section.tiers
        ]
    return Protected(tuple(environments), tuple(faults))

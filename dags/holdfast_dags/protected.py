"""One protected environment of an app, as its DAGs need it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from holdfast.policy import EnvironmentPolicy, TierPolicy
from holdfast_airflow.restore_choices import Choices, choices_of


@dataclass(frozen=True, slots=True)
class Protected:
    """An environment: the policy file that declares it, its names and its section."""

    policy_file: Path
    app: str
    environment: str
    policy: EnvironmentPolicy

    @property
    def tiers(self) -> Mapping[str, TierPolicy]:
        """The declared tiers by name."""
        return {str(name): tier for name, tier in self.policy.tiers.items()}

    def tier(self, name: str) -> TierPolicy:
        """What is declared of a tier; the defaults for what every environment has undeclared, such as expiry."""
        return self.tiers.get(name, TierPolicy())

    def dag_id(self, tier: str) -> str:
        """``coursepedia-production.nightly``."""
        return f"{self.app}-{self.environment}.{tier}"

    @property
    def choices(self) -> Choices:
        """The restore points that its forms offer."""
        return choices_of(self.policy_file, self.environment)

    @property
    def operator_arguments(self) -> dict[str, str]:
        """What every operator is told of the place it works for."""
        return {"policy_file": str(self.policy_file), "environment": self.environment}

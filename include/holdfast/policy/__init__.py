"""Policies: one YAML file per app that says what is backed up, when, where to, and for how long."""

from holdfast.policy.loading import load_policy
from holdfast.policy.model import EnvironmentPolicy, Policy, TierPolicy

__all__ = ["EnvironmentPolicy", "Policy", "TierPolicy", "load_policy"]

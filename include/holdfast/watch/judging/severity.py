"""The severity that a policy gives to a kind of finding."""

from __future__ import annotations

from holdfast.policy import EnvironmentPolicy
from holdfast.watch.finding import Finding


def chosen(finding: Finding, policy: EnvironmentPolicy) -> Finding | None:
    """The finding with the severity that the policy's ``alerts.severities`` gives its kind; None where it is off."""
    wanted = policy.alerts.severities.get(finding.kind) if policy.alerts is not None else None
    if wanted is None or wanted == finding.severity:
        return finding
    return None if wanted == "off" else finding.model_copy(update={"severity": wanted})

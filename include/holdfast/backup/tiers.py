"""Which of an environment's tiers a snapshot that nobody scheduled belongs to."""

from __future__ import annotations

from holdfast.errors import UsageError
from holdfast.policy import EnvironmentPolicy

_PREFERRED = ("snapshot", "nightly", "monthly")


def snapshot_tier(policy: EnvironmentPolicy) -> str:
    """``snapshot`` where it is declared, else another tier that takes restore points; raises UsageError for none."""
    found = next((name for name in _PREFERRED if name in policy.tiers), None)
    if found is None:
        raise UsageError(
            "the environment has no tier that takes restore points",
            hint="Declare `snapshot: {keep: 30d}`: nothing live is replaced without a fresh snapshot.",
        )
    return found

"""The form of the snapshot DAG: what it asks of whoever triggers it, and which answers cannot be met."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

from airflow.sdk import Param

from holdfast.errors import UsageError
from holdfast.policy import EnvironmentPolicy
from holdfast_airflow.answers import text_of

RESTORE_CHECK = "restore_check"
_LABEL = "^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$"


@dataclass(frozen=True, slots=True)
class SnapshotForm:
    """The answers of one run. They come from people and pipelines: nothing is taken for granted."""

    label: str | None
    reason: str | None
    restore_check: bool

    @classmethod
    def of(cls, params: Mapping[str, Any]) -> Self:
        """The answers in a run's params; what is missing counts as not given."""
        given = {name: params[name] for name in params}
        return cls(
            text_of(given.get("label")),
            text_of(given.get("reason")),
            given.get(RESTORE_CHECK) is True,
        )

    def demand_possible(self, title: str, policy: EnvironmentPolicy) -> None:
        """Raise UsageError where the snapshot has no label, or wants a restore check that nothing makes."""
        if self.label is None:
            raise UsageError(
                f"snapshot of {title}: the label is missing",
                hint='Trigger it with a label, such as {"label": "pre-deploy-2026.11.3"}.',
            )
        if self.restore_check and RESTORE_CHECK not in policy.tiers:
            raise UsageError(
                f"snapshot of {title}: a restore check is asked for, but the policy declares no tier restore_check, "
                "so there would be none to wait for",
                hint="Trigger it without restore_check, or declare the tier first.",
            )


def params() -> dict[str, Param]:
    """The form as Airflow shows it, and checks it when a run is triggered through the UI or the API."""
    return {
        # No default that fits its type: Airflow then triggers no run without an answer.
        "label": Param(
            None,
            type="string",
            pattern=_LABEL,
            title="Label",
            description="Required: names the restore point, such as pre-deploy-2026.11.3 or pre-migration-add-invoices",
        ),
        "reason": Param(
            None,
            type=["null", "string"],
            maxLength=500,
            title="Reason",
            description="Stands in the log of the task open, for whoever asks later",
        ),
        RESTORE_CHECK: Param(
            False,
            type="boolean",
            title="Wait for its restore check",
            description="The run succeeds only when the restore point was restored for real and compared",
        ),
    }

"""The forms of drills and checks that recover to an instant: which instant, and why."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Self

from airflow.sdk import Param

from holdfast.errors import UsageError
from holdfast_airflow.answers import line_of, moment_of
from holdfast_airflow.operation_form import reason_param

_LONGEST_REASON = 500


@dataclass(frozen=True, slots=True)
class PitrForm:
    """The answers of one run, None where nothing was answered."""

    instant: datetime | None
    reason: str | None

    @classmethod
    def of(cls, params: Mapping[str, Any]) -> Self:
        """The answers in a run's params; raises UsageError naming the field that cannot be meant."""
        given = {name: params[name] for name in params}
        reason = line_of(given.get("reason"), "reason", longest=_LONGEST_REASON)
        return cls(moment_of(given.get("instant"), "instant"), reason)

    def demand_reason(self, title: str) -> None:
        """Raise UsageError where the reason is missing that a person must give."""
        if self.reason is None:
            raise UsageError(
                f"drill of {title}: the reason is missing",
                hint='Trigger it with a reason, such as {"reason": "quarterly drill"}: it stands in the evidence.',
            )


def check_params() -> dict[str, Param]:
    """The form of a check: which instant, if not one by chance."""
    return {"instant": _instant()}


def drill_params() -> dict[str, Param]:
    """The form of a drill: which instant, and why."""
    return {"instant": _instant(), "reason": reason_param()}


def _instant() -> Param:
    return Param(
        None,
        type=["null", "string"],
        format="date-time",
        title="Instant",
        description="The moment to recover to, with UTC offset, such as 2026-11-22T14:03:20+01:00; empty: one by "
        "chance within the window that holdfast pitr window shows",
    )

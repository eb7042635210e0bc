"""The forms of drills and restore checks: what they ask of whoever triggers them, and what cannot be met."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, Self

from airflow.sdk import Param

from holdfast.errors import UsageError
from holdfast.values.ids import RestorePointId
from holdfast_airflow.answers import text_of

Media = Literal["none", "sample", "all"]
_EXTENTS: tuple[Media, ...] = ("sample", "all", "none")
_ID = "^[0-9]{8}T[0-9]{6}Z-[a-z][a-z0-9_]*-[0-9a-f]{6}$"


@dataclass(frozen=True, slots=True)
class DrillForm:
    """The answers of one run, None where nothing was answered. They come from people and pipelines."""

    restore_point: RestorePointId | None
    media: Media | None
    reason: str | None

    @classmethod
    def of(cls, params: Mapping[str, Any]) -> Self:
        """The answers in a run's params; raises UsageError for a restore point that is no id."""
        given = {name: params[name] for name in params}
        named = text_of(given.get("restore_point"))
        extent = given.get("media")
        return cls(
            RestorePointId.parse(named) if named else None,
            next((known for known in _EXTENTS if known == extent), None),
            text_of(given.get("reason")),
        )

    def demand_possible(self, title: str, *, must_say_why: bool) -> None:
        """Raise UsageError where the reason is missing that a person must give."""
        if must_say_why and self.reason is None:
            raise UsageError(
                f"restore drill of {title}: the reason is missing",
                hint='Trigger it with a reason, such as {"reason": "quarterly drill"}: it stands in the evidence.',
            )


def check_params() -> dict[str, Param]:
    """The form of a restore check: which restore point, if not the newest."""
    return {"restore_point": _restore_point()}


def drill_params(*, has_media: bool, is_scheduled: bool) -> dict[str, Param]:
    """The form of a drill; a schedule can give no reason, so it is the opening task that demands one of people."""
    media = {"media": _media()} if has_media else {}
    return {"restore_point": _restore_point(), **media, "reason": _reason(is_required=not is_scheduled)}


def _restore_point() -> Param:
    return Param(
        None,
        type=["null", "string"],
        pattern=_ID,
        title="Restore point",
        description="Its id, from the tab Restore point of its run or the command holdfast list; empty: the newest one",
    )


def _media() -> Param:
    return Param(
        "sample",
        type="string",
        enum=list(_EXTENTS),
        title="Media files",
        description="Which of the uploaded files are restored and compared: a sample, all of them, or none",
    )


def _reason(*, is_required: bool) -> Param:
    return Param(
        None,
        # No default that fits its type: Airflow then triggers no run without an answer.
        type="string" if is_required else ["null", "string"],
        minLength=1,
        maxLength=500,
        title="Reason",
        description="Required of people: why this drill is made, such as the quarter or the incident; it stands in "
        "the evidence",
    )

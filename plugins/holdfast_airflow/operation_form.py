"""What the form of every operation on the live application asks: restore point, change window, ticket and reason."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

from airflow.sdk import Param

from holdfast.errors import UsageError
from holdfast.values.ids import RestorePointId
from holdfast_airflow.answers import line_of, moment_of
from holdfast_airflow.restore_choices import NONE, Choices

if TYPE_CHECKING:
    from holdfast.manifest.evidence import Window

ID = "^[0-9]{8}T[0-9]{6}Z-[a-z][a-z0-9_]*-[0-9a-f]{6}$"
OTHER_SOURCE = "other_source"
_LONGEST_REASON = 500
_LONGEST_TICKET = 100
_TICKET = re.compile(r"\w[\w .:/#+-]*")


@dataclass(frozen=True, slots=True)
class Asked:
    """The answers that every operation needs, each checked; the window is None where none was given."""

    restore_point: RestorePointId | None
    reason: str
    window: Window | None
    other_source: bool = False

    @classmethod
    def of(cls, params: Mapping[str, Any]) -> Self:
        """The answers in a run's params; raises UsageError naming the field that cannot be meant."""
        given = {name: params[name] for name in params}
        named = line_of(given.get("restore_point"), "restore_point", longest=100)
        reason = line_of(given.get("reason"), "reason", longest=_LONGEST_REASON)
        if reason is None:
            raise UsageError(
                "reason: is missing",
                hint="Trigger it with a reason, such as the incident: it stands in the plan and in the evidence.",
            )
        is_meant = given.get(OTHER_SOURCE) is True
        return cls(RestorePointId.parse(named) if named else None, reason, window_of(given), is_meant)

    def demand_restore_point(self) -> RestorePointId:
        """The restore point; raises UsageError where none is named: what is gone back to is not left to chance."""
        if self.restore_point is None:
            raise UsageError("restore_point: is missing", hint="Take its id from `holdfast list`.")
        return self.restore_point


def window_of(given: Mapping[str, Any]) -> Window | None:
    """The change window of a form; raises UsageError where half of it is missing, or a time has no UTC offset."""
    from holdfast.manifest.evidence import Window

    begins, ends = (moment_of(given.get(field), field) for field in ("window_begins", "window_ends"))
    ticket = line_of(given.get("ticket"), "ticket", longest=_LONGEST_TICKET)
    if ticket is not None and _TICKET.fullmatch(ticket) is None:
        raise UsageError(f"ticket: {ticket!r} is no reference", hint="Write one such as CHG-1234.")
    if begins is None and ends is None:
        if ticket is not None:
            raise UsageError("ticket: is given without a change window", hint="Say from when to when it allows it.")
        return None
    if begins is None or ends is None:
        raise UsageError("change window: one of its ends is missing", hint="Give window_begins and window_ends.")
    if ends <= begins:
        raise UsageError("change window: ends before it begins")
    return Window(begins_at=begins, ends_at=ends, ticket=ticket)


def restore_point_param(*, is_required: bool = True, choices: Choices = NONE) -> Param:
    """Which restore point; where it ``is_required`` Airflow triggers no run without an answer.

    The ``choices`` are offered; any other id may be written.
    """
    said = "Its id, from the tab Restore point of its run or the command holdfast list"
    offered: dict[str, Any] = {}
    if choices.ids:
        offered = {"examples": list(choices.ids), "description_md": f"{said}.\n\n{choices.table}"}
    return Param(
        None,
        type="string" if is_required else ["null", "string"],
        pattern=ID,
        title="Restore point",
        description=said + ("" if is_required else "; empty: the newest one"),
        **offered,
    )


def reason_param() -> Param:
    """Why it is done."""
    return Param(
        None,
        type="string",
        minLength=1,
        maxLength=_LONGEST_REASON,
        title="Reason",
        description="Required: why this is done, such as the incident; people see it when they are asked, and it "
        "stands in the evidence",
    )


def other_source_param() -> Param:
    """Whether live may be another database than the one that was backed up."""
    return Param(
        False,
        type="boolean",
        title="Live was rebuilt elsewhere",
        description="Tick it only where live is meant, though it is on another server, or has another name, than what "
        "the restore point was taken of; otherwise that is refused",
    )


def window_params() -> dict[str, Param]:
    """From when to when the live application may be changed, and what allows it."""
    return {
        "window_begins": _moment_param("Change window begins", "Nothing live is changed before this moment"),
        "window_ends": _moment_param("Change window ends", "Nothing live is changed from this moment on"),
        "ticket": Param(
            None,
            type=["null", "string"],
            maxLength=_LONGEST_TICKET,
            title="Ticket",
            description="The change or incident that allows it, such as CHG-1234",
        ),
    }


def _moment_param(title: str, meaning: str) -> Param:
    return Param(
        None,
        type=["null", "string"],
        format="date-time",
        title=title,
        description=f"{meaning}. With UTC offset, such as 2026-11-22T22:00+01:00; empty: no window",
    )

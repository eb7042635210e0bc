"""The steps of each kind of operation, in their order, under the names that tasks, drafts and evidence bear."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from holdfast.evidence.acts import (
    APPLY,
    CHANGING,
    CHECK_LIVE,
    FOLLOW_UP,
    MIGRATE,
    PLAN,
    RESTORE_BESIDE,
    RESTORE_MEDIA_BESIDE,
    SWITCH,
    SWITCH_BACK,
    SWITCH_MEDIA,
    SWITCH_MEDIA_BACK,
)
from holdfast.manifest.evidence import OperationKind
from holdfast.operation.plans import Plan
from holdfast.operation.records import OperationOpen

__all__ = [
    "APPLY",
    "CHECK_LIVE",
    "FOLLOW_UP",
    "MIGRATE",
    "PAST_RETURN",
    "PLAN",
    "RESTORE_BESIDE",
    "RESTORE_MEDIA_BESIDE",
    "SWITCH",
    "SWITCH_BACK",
    "SWITCH_MEDIA",
    "SWITCH_MEDIA_BACK",
    "TITLES",
    "names_of",
    "names_of_opened",
]

TITLES: Mapping[str, str] = MappingProxyType(
    {
        PLAN: "Plan: what would be done, with nothing written",
        RESTORE_BESIDE: "Restore the database beside the live one and count it",
        RESTORE_MEDIA_BESIDE: "Restore media beside the live directory",
        SWITCH: "Switch: the restored database takes the live name",
        SWITCH_MEDIA: "Switch the media directories",
        SWITCH_BACK: "Switch back: the kept database takes the live name again",
        SWITCH_MEDIA_BACK: "Switch the media directories back",
        CHECK_LIVE: "Check what is live now",
        APPLY: "Apply to the live database, in one transaction",
        MIGRATE: "Run the migration and check what it left",
        FOLLOW_UP: "Run the follow-up commands",
    }
)
PAST_RETURN = frozenset(CHANGING)
"""Steps that change what is live: a failure there is for people to look at, and never tried again by itself."""


def names_of_opened(opened: OperationOpen, plan: Plan | None = None) -> tuple[str, ...]:
    """The steps that this operation takes, as far as its plan is made."""
    if opened.request.get("target") == "rehearsal" or (plan is not None and _leaves_nothing(plan)):
        return (PLAN,)
    names = names_of(opened.kind, str(opened.request.get("what", "database")))
    if opened.request.get("follow_up"):
        return (*names[: names.index(CHECK_LIVE)], FOLLOW_UP, *names[names.index(CHECK_LIVE) :])
    return names


def names_of(kind: OperationKind, what: str = "database") -> tuple[str, ...]:
    """The steps' names; ``what`` is ``database``, ``media`` or ``both``, of kinds that may replace either."""
    database, media = what != "media", what in ("media", "both")
    beside = (*([RESTORE_BESIDE] if database else []), *([RESTORE_MEDIA_BESIDE] if media else []))
    switch = (*([SWITCH] if database else []), *([SWITCH_MEDIA] if media else []))
    back = (*([SWITCH_BACK] if database else []), *([SWITCH_MEDIA_BACK] if media else []))
    return {
        "restore": (PLAN, *beside, *switch, CHECK_LIVE),
        "rollback": (PLAN, *beside, *switch, CHECK_LIVE),
        "switch_back": (PLAN, *back, CHECK_LIVE),
        "restore_tables": (PLAN, APPLY),
        "recover_rows": (PLAN, APPLY),
        "undo_rows": (PLAN, APPLY),
        "guarded_migration": (PLAN, MIGRATE),
    }[kind]


def _leaves_nothing(plan: Plan) -> bool:
    """A rollback where the definitions are the same, or tables that are as they were: nobody need be asked."""
    return plan.facts.get("schema_changed") is False or plan.facts.get("rows to write") == 0

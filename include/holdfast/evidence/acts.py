"""Which steps of an operation change what is live, what became of them, and who had agreed to them."""

from __future__ import annotations

from collections.abc import Iterable

from holdfast.manifest.evidence import Evidence, GivenApproval, Step

PLAN = "plan"
RESTORE_BESIDE = "restore_beside"
RESTORE_MEDIA_BESIDE = "restore_media_beside"
SWITCH = "switch"
SWITCH_MEDIA = "switch_media"
SWITCH_BACK = "switch_back"
SWITCH_MEDIA_BACK = "switch_media_back"
CHECK_LIVE = "check_live"
APPLY = "apply"
MIGRATE = "migrate"
FOLLOW_UP = "follow_up"

SWITCHES = (SWITCH, SWITCH_MEDIA, SWITCH_BACK, SWITCH_MEDIA_BACK)
# Nobody is asked before a migration: behind a verified snapshot it runs, and only going back is for people to decide.
APPROVED = (*SWITCHES, APPLY)
CHANGING = (*APPROVED, MIGRATE, FOLLOW_UP)


def changing(evidence: Evidence, *names: str) -> tuple[Step, ...]:
    """The steps taken that change what is live, or those of these names."""
    return tuple(step for step in evidence.steps if step.name in (names or CHANGING))


def changed(evidence: Evidence) -> tuple[Step, ...]:
    """Those that have changed it, and passed."""
    return tuple(step for step in changing(evidence) if step.outcome == "passed")


def failed(evidence: Evidence) -> Step | None:
    """The one that was to change it, and failed: it is as it was, unless its findings say otherwise."""
    return next((step for step in changing(evidence) if step.outcome == "failed"), None)


def standing(approvals: Iterable[GivenApproval]) -> tuple[GivenApproval, ...]:
    """Of each gate the latest answer: what was asked once more counts only by what was answered then."""
    latest: dict[str, GivenApproval] = {}
    for approval in approvals:
        known = latest.get(approval.gate)
        if known is None or known.answered_at <= approval.answered_at:
            latest[approval.gate] = approval
    return tuple(latest.values())

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


def is_changed(evidence: Evidence) -> bool | None:
    """Whether what is live was changed; None where a step that changes it began and failed."""
    steps = changing(evidence)
    if any(step.outcome == "failed" for step in steps):
        return None
    return bool(steps)


def standing(approvals: Iterable[GivenApproval]) -> tuple[GivenApproval, ...]:
    """Of each gate the latest answer: what was asked once more counts only by what was answered then."""
    latest: dict[str, GivenApproval] = {}
    for approval in approvals:
        known = latest.get(approval.gate)
        if known is None or known.answered_at <= approval.answered_at:
            latest[approval.gate] = approval
    return tuple(latest.values())

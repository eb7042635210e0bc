"""Secrets of the inventory whose date of rotation has passed."""

from __future__ import annotations

from datetime import UTC
from zoneinfo import ZoneInfo

from holdfast.values.visible import visible
from holdfast.watch.judging.case import Case, Findings


def judge_keys(case: Case) -> Findings:
    """rotation_due: one finding for each variable, named as in the inventory; never its value."""
    try:
        today = case.now.astimezone(ZoneInfo(case.policy.timezone)).date()
    except OverflowError:
        today = case.now.astimezone(UTC).date()
    for due in case.facts.rotations:
        if due.rotate_by >= today:
            continue
        who = ", ".join(due.rotated_by) or due.owner
        told = f"was to be rotated by {due.rotate_by}, {(today - due.rotate_by).days} d ago"
        whose = f"{who} can rotate it, {due.owner} owns it. Then set its rotate_by in the inventory file; "
        if not due.owner:
            told = f"was to be rotated by {due.rotate_by} or before, as the newest restore point records"
            whose = "Who can rotate it is said by the inventory file, which is not on this host, as is its rotate_by; "
        yield case.finding(
            "rotation_due",
            visible(due.name),
            visible(f"{due.name} {told}"),
            meaning="A secret that is older than was agreed may be known to more people than it should be.",
            advice=f"{visible(whose)}{case.command('inventory check')} names all that are due.",
        )

"""The retention rule of compliance exports (docs/design.md, "Retention")."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from holdfast.retention.rules import Decision, Point, newest_whole
from holdfast.values.duration import Duration
from holdfast.values.ids import RestorePointId


def decide_exports(exports: Iterable[Point], keep: Duration | None, now: datetime) -> list[Decision]:
    """One decision for every export, oldest first; ``now`` is aware.

    ``keep`` is the policy's, None where it has no section for exports any more. Whatever ``now`` says, these
    stay: the newest whole export of the environment, by any clock, and what cannot be trusted. Restore points
    and their holds have no say: an export stands by itself.
    """
    ordered = sorted(exports, key=lambda export: export.id)
    newest = newest_whole(ordered)
    return [_decide_one(export, keep, now, newest) for export in ordered]


def _decide_one(export: Point, keep: Duration | None, now: datetime, newest: set[RestorePointId]) -> Decision:
    if export.id in newest:
        return Decision(export.id, True, "newest whole export of the environment")
    if not export.is_trusted:
        return Decision(export.id, True, "its signature or place is wrong: left for a person to look at")
    if keep is None:
        return Decision(export.id, True, "the policy has no compliance_export")
    if not newest:
        return Decision(export.id, True, "no whole export is left: nothing is deleted")
    if export.taken_at >= keep.before(now):
        return Decision(export.id, True, f"within {keep} of compliance_export")
    return Decision(export.id, False, f"older than {keep} of compliance_export")

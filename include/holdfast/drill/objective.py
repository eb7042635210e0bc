"""How long a restore took in a drill, and whether that keeps to the policy's recovery time objective."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from datetime import datetime

from holdfast.drill import naming
from holdfast.drill.outcome import blames_drill
from holdfast.drill.records import DrillOpen
from holdfast.manifest.evidence import Step
from holdfast.values import figures


def restore_seconds(steps: Iterable[Step], not_run: Collection[str], opened: DrillOpen) -> float | None:
    """What a restore by hand would take as well: the server, the database, and media where all were restored.

    None before a database stood, or before a server was recovered to the instant.
    """
    taken = tuple(steps)
    if not _is_restored(taken, not_run, opened):
        return None
    counted = {naming.RECOVERY_ENVIRONMENT, naming.RESTORE_DATABASE, naming.RECOVER}
    if opened.media == "all":
        counted.add(naming.RESTORE_MEDIA)
    return round(sum(step.seconds for step in taken if step.name in counted), 3)


def against_rto(opened: DrillOpen, seconds: float | None, rto_seconds: float | None, at: datetime) -> tuple[Step, ...]:
    """A drill over the objective has missed it; a restore point that took long is restorable all the same."""
    if seconds is None or rto_seconds is None:
        return ()
    said = f"restored in {figures.seconds(seconds)}, the objective is {figures.seconds(rto_seconds)}"
    is_missed = seconds > rto_seconds
    is_finding = is_missed and opened.kind in ("restore_drill", "pitr_drill")
    partial = ("media were restored in part: their time is not counted",) if opened.media == "sample" else ()
    return (
        Step(
            name=naming.RTO,
            title=naming.TITLES[naming.RTO],
            started_at=at,
            seconds=0.0,
            outcome="failed" if is_finding else "passed",
            findings=(blames_drill(said),) if is_finding else (),
            notes=((f"over the objective: {said}" if is_missed else said), *partial),
        ),
    )


def _is_restored(steps: Iterable[Step], not_run: Collection[str], opened: DrillOpen) -> bool:
    """Is there a time to speak of, until a database stood, or until the recovered server was promoted?"""
    if opened.pitr is None:
        return naming.CHECK_DATABASE not in not_run
    return any(step.name == naming.RECOVER and step.outcome == "passed" for step in steps)

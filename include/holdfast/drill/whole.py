"""A whole drill or restore check in one process, as the CLI takes it: the same steps that the DAGs run as tasks."""

from __future__ import annotations

import secrets
from contextlib import suppress
from dataclasses import replace
from datetime import datetime

from holdfast.drill.gathering import EvidenceFacts, record_evidence
from holdfast.drill.naming import steps_of
from holdfast.drill.opening import open_drill
from holdfast.drill.pitr.opening import open_pitr_drill
from holdfast.drill.records import Media
from holdfast.drill.scene import Scene
from holdfast.drill.steps import remove_recovery, take_step
from holdfast.environment import Environment
from holdfast.errors import HoldfastError
from holdfast.manifest.evidence import DrillKind
from holdfast.progress import Progress, Silent
from holdfast.values.ids import RestorePointId

_SILENT = Silent()


def run_drill(
    environment: Environment,
    restore_point: RestorePointId | None,
    *,
    media: Media = "sample",
    reason: str | None = None,
    requested_by: str | None = None,
    progress: Progress = _SILENT,
) -> EvidenceFacts:
    """Drill a restore point (default: the newest); nobody is asked for approval, and the evidence says so.

    The recovery environment is removed however it ends. Raises what keeps the drill from being recorded.
    """
    drill = _open(environment, "restore_drill", restore_point, media, reason, requested_by)
    return _carry_out(environment, drill, "restore_drill", progress)


def run_restore_check(
    environment: Environment, restore_point: RestorePointId | None, *, progress: Progress = _SILENT
) -> EvidenceFacts:
    """Restore and check a restore point, and leave the record beside it; raises as ``run_drill``."""
    drill = _open(environment, "restore_check", restore_point, "sample", None, None)
    return _carry_out(environment, drill, "restore_check", progress)


def run_pitr_drill(
    environment: Environment,
    to: datetime | None,
    *,
    kind: DrillKind = "pitr_drill",
    reason: str | None = None,
    requested_by: str | None = None,
    progress: Progress = _SILENT,
) -> EvidenceFacts:
    """Recover the cluster to an instant (default: one drawn at random from its windows), and check it.

    Raises as ``run_drill``, and UsageError where the instant lies in no window.
    """
    drill = open_pitr_drill(
        environment,
        kind=kind,
        opened_at=environment.clock(),
        origin=f"holdfast/{secrets.token_hex(16)}",
        to=to,
        reason=reason,
        requested_by=requested_by,
        approval="not asked",
    )
    return _carry_out(environment, drill, kind, progress)


def _open(
    environment: Environment,
    kind: DrillKind,
    restore_point: RestorePointId | None,
    media: Media,
    reason: str | None,
    requested_by: str | None,
) -> RestorePointId:
    return open_drill(
        environment,
        kind=kind,
        opened_at=environment.clock(),
        origin=f"holdfast/{secrets.token_hex(16)}",
        restore_point=restore_point,
        media=media,
        reason=reason,
        requested_by=requested_by,
        approval="not asked",
    )


def _carry_out(environment: Environment, drill: RestorePointId, kind: DrillKind, progress: Progress) -> EvidenceFacts:
    try:
        with Scene(environment, drill, is_whole=True) as scene:
            for step in steps_of(environment.policy, kind):
                if take_step(scene, step, progress).outcome == "failed":
                    break
    except BaseException:
        with suppress(HoldfastError):  # why it ended comes first
            remove_recovery(environment, drill)
        raise
    left = _removed(environment, drill)
    facts = record_evidence(environment, drill, progress=progress)
    if left is None:
        return facts
    if facts.verdict == "passed":
        raise left
    return replace(facts, findings=(*facts.findings, left.message))


def _removed(environment: Environment, drill: RestorePointId) -> HoldfastError | None:
    """Remove the recovery environment; what hinders it must not keep the evidence from being recorded."""
    try:
        remove_recovery(environment, drill)
    except HoldfastError as error:
        return error
    return None

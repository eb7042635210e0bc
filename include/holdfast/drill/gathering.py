"""Gathers what the steps of a drill left into its evidence, and says for the restore point whether it is proven."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import islice

import holdfast
from holdfast.catalog.restore_checks import RestoreCheck, write_restore_check
from holdfast.drill.naming import steps_of
from holdfast.drill.objective import against_rto, restore_seconds
from holdfast.drill.records import DrillOpen, StepDraft, read_open, read_step, remove_drafts
from holdfast.environment import Environment
from holdfast.errors import HoldfastError, ObjectMissing
from holdfast.evidence import find_evidence, write_evidence
from holdfast.evidence.objects import sha256
from holdfast.manifest.evidence import Evidence, HistoryPoint, Step, Surroundings
from holdfast.manifest.pitr import PitrTried, Replayed
from holdfast.progress import Progress, Silent
from holdfast.restore.fetching import dump_artifact
from holdfast.values.ids import RestorePointId

_SILENT = Silent()
_HISTORY = 12


@dataclass(frozen=True, slots=True)
class EvidenceFacts:
    """What came of a drill, in a few values."""

    id: str
    verdict: str
    restore_point: str
    restore_seconds: float | None
    findings: tuple[str, ...]
    key: str
    rto_seconds: float | None = None
    pitr: PitrTried | None = None
    replayed: Replayed | None = None

    def as_json(self) -> dict[str, object]:
        """The facts as an object of plain values; of a recovery to an instant also what was expected and found."""
        return {
            "verdict": self.verdict,
            "restore_point": self.restore_point,
            "restore_seconds": self.restore_seconds,
            "findings": list(self.findings),
            "evidence": self.key,
            **({} if self.pitr is None else _instant_json(self.pitr, self.replayed)),
        }


def record_evidence(environment: Environment, drill: RestorePointId, *, progress: Progress = _SILENT) -> EvidenceFacts:
    """Store the signed evidence of a drill whose steps have ended, however they did.

    A restore check also leaves its record beside the restore point, unless only the drill's own surroundings were
    to blame: that says nothing about the backup. Doing it again finds its own work.
    """
    evidence = find_evidence(environment, drill)
    if evidence is None:
        evidence = _evidence(environment, drill, read_open(environment, drill))
    # What a killed attempt left out is made up for; what it wrote is found as it is.
    key = write_evidence(environment, evidence)
    if evidence.kind == "restore_check" and _is_about_the_backup(evidence):
        with suppress(ObjectMissing):  # it has expired meanwhile, and there is nothing left to mark
            write_restore_check(environment.catalog, _record(evidence), environment.signer())
    remove_drafts(environment, drill)
    return facts_of(evidence, key)


def facts_of(evidence: Evidence, key: str) -> EvidenceFacts:
    """The few values that stand for stored evidence."""
    return EvidenceFacts(
        id=evidence.id,
        verdict=evidence.verdict,
        restore_point=evidence.restore_point,
        restore_seconds=evidence.restore_seconds,
        findings=evidence.faults,
        key=key,
        rto_seconds=evidence.rto_seconds,
        pitr=evidence.pitr,
        replayed=evidence.replayed,
    )


def _instant_json(tried: PitrTried, done: Replayed | None) -> dict[str, object]:
    reached = None if done is None or done.reached_time is None else done.reached_time.isoformat()
    return {
        "base_backup": tried.base_backup,
        "instant": tried.instant.isoformat(),
        "timeline": tried.timeline,
        "reached_time": reached,
        "reached_lsn": None if done is None else done.reached_lsn,
        "marker": None if done is None else done.marker,
        "marker_expected": None if tried.marker is None else tried.marker.number,
        "wal_bytes": None if done is None else done.wal_bytes,
        "replay_seconds": None if done is None else done.replay_seconds,
        "replay_bytes_per_second": None if done is None else done.bytes_per_second,
        "waited_share": None if done is None else round(done.waited_share, 4),
    }


def _evidence(environment: Environment, drill: RestorePointId, opened: DrillOpen) -> Evidence:
    names = [step.name for step in steps_of(environment.policy, opened.kind)]
    drafts = [draft for name in names if (draft := read_step(environment, drill, name)) is not None]
    taken = [draft.step for draft in drafts]
    not_run = tuple(name for name in names if name not in {step.name for step in taken})
    finished_at = max([opened.opened_at, *(_end(step) for step in taken)])
    rto = environment.policy.targets.rto
    rto_seconds = float(rto.as_seconds) if rto is not None else None
    seconds = restore_seconds(taken, not_run, opened)
    steps = (*taken, *against_rto(opened, seconds, rto_seconds, finished_at))
    passed = not not_run and all(step.outcome == "passed" for step in steps)
    return Evidence(
        id=str(drill),
        kind=opened.kind,
        app=environment.app,
        environment=environment.name,
        holdfast_version=holdfast.__version__,
        restore_point=opened.restore_point,
        restore_point_taken_at=opened.restore_point_taken_at,
        manifest_sha256=opened.manifest_sha256,
        source_version=opened.source_version,
        requested_by=opened.requested_by,
        reason=opened.reason,
        origin=opened.origin,
        media=opened.media,
        opened_at=opened.opened_at,
        finished_at=finished_at,
        surroundings=_surroundings(drafts),
        steps=steps,
        steps_not_run=not_run,
        tables=next((draft.tables for draft in drafts if draft.tables), ()),
        history=history_of(environment, opened.point) if opened.pitr is None else (),
        restore_seconds=seconds,
        rto_seconds=rto_seconds,
        approval=opened.approval,
        pitr=opened.pitr,
        replayed=next((draft.replayed for draft in reversed(drafts) if draft.replayed is not None), None),
        verdict="passed" if passed else "failed",
    )


def _end(step: Step) -> datetime:
    return step.started_at + timedelta(seconds=step.seconds)


def _surroundings(drafts: Iterable[StepDraft]) -> Surroundings | None:
    """As the first step saw them, with the confinement that a later one has proven."""
    found = [draft.surroundings for draft in drafts if draft.surroundings is not None]
    if not found:
        return None
    confinement = next((each.confinement for each in found if each.confinement is not None), None)
    return found[0].model_copy(update={"confinement": confinement})


def history_of(environment: Environment, point: RestorePointId) -> tuple[HistoryPoint, ...]:
    """The restore points of the same tier up to this one, oldest first; unreadable ones are left out."""
    earlier = [
        entry.id
        for entry in environment.catalog.entries()
        if entry.is_committed and entry.id.tier == point.tier and entry.id <= point
    ]
    found = []
    verifier = environment.verifier()
    for id in islice(reversed(earlier), _HISTORY):
        try:
            manifest = environment.catalog.manifest(id, verifier)
            size_bytes = dump_artifact(manifest).bytes
        except HoldfastError:
            continue
        found.append(HistoryPoint(id=str(id), bytes=size_bytes, rows=manifest.database.source.rows))
    return tuple(reversed(found))


def _is_about_the_backup(evidence: Evidence) -> bool:
    """Passed, or something speaks against the backup itself, and the restore point still exists."""
    return evidence.verdict == "passed" or any(finding.about == "backup" for finding in evidence.findings)


def _record(evidence: Evidence) -> RestoreCheck:
    return RestoreCheck(
        id=evidence.restore_point,
        app=evidence.app,
        environment=evidence.environment,
        check=evidence.id,
        checked_at=evidence.finished_at,
        passed=evidence.verdict == "passed",
        faults=tuple(finding.text for finding in evidence.findings if finding.about == "backup")[:20],
        restore_seconds=evidence.restore_seconds,
        rto_seconds=evidence.rto_seconds,
        evidence_sha256=sha256(evidence.encode()),
    )

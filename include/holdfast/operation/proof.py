"""What stands behind a plan when people are asked: the rehearsal's evidence and the fresh snapshot."""

from __future__ import annotations

from holdfast.backup.tiers import snapshot_tier
from holdfast.environment import Environment
from holdfast.errors import HoldfastError, IntegrityError
from holdfast.evidence import find_evidence
from holdfast.evidence.objects import sha256
from holdfast.evidence.visible import prose
from holdfast.manifest.evidence import Evidence
from holdfast.manifest.model import Manifest
from holdfast.operation.plans import Plan
from holdfast.operation.records import OperationOpen

REHEARSAL = "restore_check"


def proof_markdown(environment: Environment, opened: OperationOpen) -> str:
    """The rehearsal and the snapshot as the store has them (Markdown); empty where the operation has neither."""
    parts = []
    rehearsal = find_rehearsal(environment, opened)
    if rehearsal is not None:
        said = f"{rehearsal.verdict.upper()}, evidence `{rehearsal.id}` SHA-256 `{sha256(rehearsal.encode())}`"
        parts.append(f"### Rehearsal\n\nRestored elsewhere, counted and compared: **{said}**")
        parts += [f"- {prose(finding.text)}" for finding in rehearsal.findings[:20]]
    snapshot = find_snapshot(environment, opened)
    if snapshot is not None:
        taken = snapshot.database.source.snapshot_at.isoformat()
        rows = f"{snapshot.database.source.rows:,} rows"
        media = f", media snapshot `{snapshot.media.snapshot}`" if snapshot.media is not None else ""
        parts.append(
            f"### Fresh snapshot of what is live\n\n`{snapshot.id}` of {taken}: {rows}{media}; "
            f"SHA-256 `{sha256(snapshot.encode())}`"
        )
    return "\n\n".join(parts)


def find_rehearsal(environment: Environment, opened: OperationOpen) -> Evidence | None:
    """The evidence of the restore check that the same run made; None where it made none.

    Raises IntegrityError where it is of another restore point, and SignatureError where it is not ours.
    """
    evidence = find_evidence(environment, opened.beside(REHEARSAL))
    if evidence is None:
        return None
    if (evidence.restore_point, evidence.manifest_sha256) != (opened.restore_point, opened.manifest_sha256):
        raise IntegrityError(f"rehearsal {evidence.id}: was of {evidence.restore_point}, not {opened.restore_point}")
    return evidence


def find_snapshot(environment: Environment, opened: OperationOpen) -> Manifest | None:
    """The manifest of the fresh snapshot that the same run took; None where it has taken none."""
    id = opened.beside(snapshot_tier(environment.policy))
    if not environment.catalog.entry(id).is_committed:
        return None
    return environment.catalog.manifest(id, environment.verifier())


def demand_snapshot(environment: Environment, opened: OperationOpen, *, with_media: bool) -> Manifest:
    """The fresh snapshot; raises IntegrityError where there is none, or where it lacks what is about to be replaced."""
    try:
        snapshot = find_snapshot(environment, opened)
    except HoldfastError as error:
        raise IntegrityError(f"fresh snapshot of {environment.title}: {error.message}", hint=error.hint) from error
    if snapshot is None:
        raise IntegrityError(
            f"{environment.title}: no fresh snapshot of what is live was taken by this operation",
            hint="Nothing is replaced without one. Run the snapshot's tasks first.",
        )
    if snapshot.database.source.snapshot_at < opened.opened_at:
        raise IntegrityError(f"snapshot {snapshot.id}: shows a state from before the operation was opened")
    if with_media and snapshot.media is None:
        raise IntegrityError(f"snapshot {snapshot.id}: holds no media, which are about to be replaced")
    return snapshot


def has_live(plan: Plan) -> bool:
    """Is there anything live of which a snapshot can be taken? Not where the very database is gone."""
    return "live_oid" not in plan.facts or plan.facts["live_oid"] is not None


def demand_rehearsal(environment: Environment, opened: OperationOpen) -> Evidence:
    """The rehearsal, which must have passed; raises IntegrityError otherwise."""
    rehearsal = find_rehearsal(environment, opened)
    if rehearsal is None or rehearsal.verdict != "passed":
        raise IntegrityError(
            f"{environment.title}: restore point {opened.restore_point} was not restored elsewhere and found good "
            "by this operation",
            hint="Read the rehearsal's evidence; choose another restore point.",
        )
    return rehearsal

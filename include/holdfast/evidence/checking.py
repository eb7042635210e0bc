"""Whether stored evidence is whole, ours, and of this drill or operation."""

from __future__ import annotations

from datetime import timedelta

from holdfast.environment import Environment
from holdfast.errors import ObjectMissing, PermanentError
from holdfast.evidence.agreed import agreement_faults
from holdfast.evidence.instants import instant_faults
from holdfast.evidence.listing import demand_small
from holdfast.evidence.objects import (
    CLOSED_REPORT,
    CLOSING,
    EVIDENCE,
    REPORT,
    key_of,
    read_object,
    sha256,
    shows,
    signature_of,
)
from holdfast.evidence.records import parse_closing, parse_evidence
from holdfast.manifest.evidence import Closing, Evidence
from holdfast.values.ids import RestorePointId
from holdfast.values.keys import MANIFEST
from holdfast.values.logins import account

_CLOCKS_DIFFER = timedelta(minutes=5)


def verify_evidence(environment: Environment, id: RestorePointId) -> list[str]:
    """What is missing, altered, forged or copied from elsewhere; nothing where all is as it was written.

    Raises ObjectMissing where there is nothing at all under that id.
    """
    prefix = environment.keys.evidence_of(id)
    objects = {stored.key[len(prefix) :]: stored for stored in environment.store.list(prefix)}
    if not objects:
        raise ObjectMissing(
            f"evidence {environment.keys.root}{id}: not found in {environment.store.url}",
            hint="`holdfast evidence list` shows what there is.",
        )
    try:
        demand_small(environment, id, objects)
        document = _signed(environment, id, EVIDENCE)
        evidence = parse_evidence(environment, id, document)
    except PermanentError as error:
        return [error.message]
    faults = _report_faults(environment, id, REPORT, document, None)
    faults += _manifest_faults(environment, evidence)
    if evidence.is_pitr:
        faults += [f"{key_of(environment, id, EVIDENCE)}: {fault}" for fault in instant_faults(evidence)]
    if not evidence.is_drill:
        faults += [f"{key_of(environment, id, EVIDENCE)}: {fault}" for fault in agreement_faults(evidence)]
    if not objects.keys().isdisjoint((CLOSING, signature_of(CLOSING), CLOSED_REPORT, signature_of(CLOSED_REPORT))):
        faults += _closing_faults(environment, id, evidence, document)
    return faults


def _signed(environment: Environment, id: RestorePointId, name: str) -> bytes:
    try:
        return read_object(environment, id, name)
    except ObjectMissing as error:
        raise ObjectMissing(f"{key_of(environment, id, name)}: is missing") from error


def _report_faults(
    environment: Environment, id: RestorePointId, name: str, evidence: bytes, closing: bytes | None
) -> list[str]:
    try:
        report = _signed(environment, id, name)
    except PermanentError as error:
        return [error.message]
    if not shows(report, evidence, closing):
        return [f"{key_of(environment, id, name)}: it shows other evidence than the one beside it"]
    return []


def _closing_faults(environment: Environment, id: RestorePointId, evidence: Evidence, document: bytes) -> list[str]:
    try:
        closed = _signed(environment, id, CLOSING)
        closing = parse_closing(environment, id, closed, document)
    except PermanentError as error:
        return [error.message]
    faults = [f"{key_of(environment, id, CLOSING)}: {fault}" for fault in _approval_faults(evidence, closing)]
    return faults + _report_faults(environment, id, CLOSED_REPORT, document, closed)


def _approval_faults(evidence: Evidence, closing: Closing) -> list[str]:
    """What a closing may not say, whoever signed it."""
    faults = []
    if closing.approval == "given" and not closing.approvals:
        faults.append("it says that approval was given, but names nobody")
    if closing.approval == "not asked" and evidence.approval == "asked":
        faults.append("nobody has approved what was to be approved")
    names = [account(approval.approver) for approval in closing.approvals]
    if len(set(names)) < len(names):
        faults.append("one person has approved twice")
    if evidence.requested_by is not None and account(evidence.requested_by) in names:
        faults.append(f"{evidence.requested_by} has approved what they requested themselves")
    if any(approval.answered_at < evidence.finished_at - _CLOCKS_DIFFER for approval in closing.approvals):
        faults.append("it was approved before the evidence stood")
    return faults


def _manifest_faults(environment: Environment, evidence: Evidence) -> list[str]:
    """What was restored may have expired since; where it stands, it must be the same."""
    what = "base backup" if evidence.is_pitr else "restore point"
    id = RestorePointId.recognised(evidence.restore_point)
    if id is None:
        return [f"evidence {evidence.id}: {evidence.restore_point!r} is no {what}'s id"]
    keys = environment.keys
    try:
        manifest = environment.store.get(keys.base_backup(id, MANIFEST) if evidence.is_pitr else keys.manifest(id))
    except ObjectMissing:
        return []
    if sha256(manifest) != evidence.manifest_sha256:
        return [f"{what} {id}: its manifest is not the one that was restored and compared"]
    return []

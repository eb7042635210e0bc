"""Writes and reads evidence and its closing: signed, create-only, and whole after a kill between any two writes."""

from __future__ import annotations

from pydantic import ValidationError

from holdfast.catalog.malformed import malformed
from holdfast.environment import Environment
from holdfast.errors import IntegrityError, ObjectMissing, UsageError
from holdfast.evidence.objects import (
    CLOSED_REPORT,
    CLOSING,
    EVIDENCE,
    REPORT,
    key_of,
    read_object,
    sha256,
    shows,
    write_object,
    write_report,
)
from holdfast.evidence.report import report_html
from holdfast.manifest.evidence import Closing, Evidence
from holdfast.values.ids import RestorePointId

_COPIED = "Someone copied it there: it proves nothing here. Remove it from the store once it is clear who and why."


def write_evidence(environment: Environment, evidence: Evidence) -> str:
    """Store the evidence, then its report, each signed; returns the key of ``evidence.json``.

    Doing it again with the same evidence completes what a killed attempt left. Raises IntegrityError where other
    evidence stands under the id: whoever goes on after a kill asks ``read_evidence`` first.
    """
    id = _demand_place(environment, evidence, "evidence to be written")
    document = evidence.encode()
    key = write_object(environment, id, EVIDENCE, document, environment.signer())
    write_report(environment, id, REPORT, report_html(evidence, None).encode(), (document, None))
    return key


def read_evidence(environment: Environment, id: RestorePointId) -> Evidence:
    """The evidence of one drill or restore check, its signature checked.

    Raises ObjectMissing, SignatureError, or IntegrityError where it is malformed or belongs to another drill.
    """
    try:
        document = read_object(environment, id, EVIDENCE)
    except ObjectMissing as error:
        raise ObjectMissing(
            f"evidence {environment.keys.root}{id}: not found in {environment.store.url}",
            hint="`holdfast evidence list` shows what there is; a drill that still runs has none yet.",
        ) from error
    return parse_evidence(environment, id, document)


def find_evidence(environment: Environment, id: RestorePointId) -> Evidence | None:
    """The same; None where nothing was recorded yet."""
    try:
        return read_evidence(environment, id)
    except ObjectMissing:
        return None


def demand_unrecorded(environment: Environment, id: RestorePointId, what: str) -> None:
    """Raise UsageError where it has ended: evidence is written once, and what has ended cannot end otherwise."""
    evidence = find_evidence(environment, id)
    if evidence is not None:
        raise UsageError(
            f"{what} {environment.title}/{id}: it has ended, its verdict is {evidence.verdict}",
            hint="Trigger a new run instead of clearing this one.",
        )


def parse_evidence(environment: Environment, id: RestorePointId, document: bytes) -> Evidence:
    """The evidence in a document that stood under ``id``; raises IntegrityError."""
    key = key_of(environment, id, EVIDENCE)
    try:
        evidence = Evidence.model_validate_json(document)
    except ValidationError as error:
        raise malformed(key, error) from error
    if _demand_place(environment, evidence, key) != id:
        raise IntegrityError(f"{key}: it is the evidence of {evidence.id}", hint=_COPIED)
    return evidence


def write_closing(environment: Environment, closing: Closing, evidence: Evidence) -> str:
    """Store the closing, then the report that shows it, each signed; returns the key of ``closing.json``.

    Doing it again with the same closing completes what a killed attempt left; ``read_closing`` says whether one
    stands. Raises IntegrityError where another one does, or where it does not close this evidence.
    """
    id = _demand_place(environment, closing, "closing to be written")
    document, closed = evidence.encode(), closing.encode()
    if closing.id != evidence.id or closing.evidence_sha256 != sha256(document):
        raise IntegrityError(f"closing of {closing.id}: it does not close the evidence {evidence.id}")
    key = write_object(environment, id, CLOSING, closed, environment.signer())
    write_report(environment, id, CLOSED_REPORT, report_html(evidence, closing).encode(), (document, closed))
    return key


def read_closing(environment: Environment, id: RestorePointId) -> Closing | None:
    """The closing of one drill, its signature checked; None while nobody has closed it.

    Raises SignatureError, or IntegrityError where it is malformed, or closes other evidence than stands there.
    """
    try:
        document = read_object(environment, id, CLOSING)
    except ObjectMissing:
        return None
    return parse_closing(environment, id, document, read_object(environment, id, EVIDENCE))


def parse_closing(environment: Environment, id: RestorePointId, document: bytes, evidence: bytes) -> Closing:
    """The closing in a document that stood under ``id`` beside that evidence; raises IntegrityError."""
    key = key_of(environment, id, CLOSING)
    try:
        closing = Closing.model_validate_json(document)
    except ValidationError as error:
        raise malformed(key, error) from error
    if _demand_place(environment, closing, key) != id:
        raise IntegrityError(f"{key}: it is the closing of {closing.id}", hint=_COPIED)
    if closing.evidence_sha256 != sha256(evidence):
        raise IntegrityError(f"{key}: it closes other evidence than the one beside it", hint=_COPIED)
    return closing


def read_report(environment: Environment, id: RestorePointId) -> bytes:
    """The stored report, with the approvals where the drill has been closed; raises as the two functions it calls."""
    return report_of(environment, id, read_evidence(environment, id))


def report_of(environment: Environment, id: RestorePointId, evidence: Evidence) -> bytes:
    """The stored report of evidence that was read, its signature checked.

    Raises ObjectMissing, SignatureError, or IntegrityError where it shows other evidence than this.
    """
    closing = read_closing(environment, id)
    name = REPORT if closing is None else CLOSED_REPORT
    report = read_object(environment, id, name)
    if not shows(report, evidence.encode(), closing.encode() if closing is not None else None):
        raise IntegrityError(f"{key_of(environment, id, name)}: it shows other evidence than the one beside it")
    return report


def _demand_place(environment: Environment, record: Evidence | Closing, title: str) -> RestorePointId:
    """The record's id; a sound record of another environment is not this one's."""
    if (record.app, record.environment) != (environment.app, environment.name):
        raise IntegrityError(f"{title}: it belongs to {record.app}/{record.environment}", hint=_COPIED)
    id = RestorePointId.recognised(record.id)
    if id is None:
        raise IntegrityError(f"{title}: its id is no drill's")
    return id

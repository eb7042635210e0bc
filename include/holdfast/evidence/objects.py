"""The objects of one drill's or operation's evidence: their names in the store, and what stands there."""

from __future__ import annotations

import hashlib
import re
from typing import get_args

from holdfast.catalog.signed import read_signed, write_signed
from holdfast.crypto.signing import Signer
from holdfast.environment import Environment
from holdfast.errors import ObjectMissing
from holdfast.manifest.evidence import DrillKind, OperationKind
from holdfast.values.ids import RestorePointId

EVIDENCE = "evidence.json"
REPORT = "report.html"
CLOSING = "closing.json"
CLOSED_REPORT = "report-closed.html"
DRILL_KINDS: tuple[str, ...] = get_args(DrillKind)
OPERATION_KINDS: tuple[str, ...] = get_args(OperationKind)
KINDS = (*DRILL_KINDS, *OPERATION_KINDS)

_DIGEST = re.compile(rb'<meta name="holdfast-evidence" content="([0-9a-f]{64})(?: ([0-9a-f]{64}))?">')
_HEAD_BYTES = 2048


def signature_of(name: str) -> str:
    """The name of the detached signature beside an object: ``evidence.sig`` of ``evidence.json``."""
    return name.rpartition(".")[0] + ".sig"


def sha256(document: bytes) -> str:
    """The SHA-256 of a document's bytes, hexadecimal."""
    return hashlib.sha256(document).hexdigest()


def digest_tag(evidence: bytes, closing: bytes | None) -> str:
    """What a report says of itself within its signed bytes: the documents that it shows."""
    digests = " ".join(sha256(document) for document in (evidence, closing) if document is not None)
    return f'<meta name="holdfast-evidence" content="{digests}">'


def shows(report: bytes, evidence: bytes, closing: bytes | None) -> bool:
    """Whether a report was made of exactly these documents."""
    found = _DIGEST.search(report[:_HEAD_BYTES])
    expected = (sha256(evidence).encode(), sha256(closing).encode() if closing is not None else None)
    return found is not None and (found[1], found[2]) == expected


def key_of(environment: Environment, id: RestorePointId, name: str) -> str:
    """The key of one object of a drill's evidence."""
    return environment.keys.evidence_object(id, name)


def read_object(environment: Environment, id: RestorePointId, name: str) -> bytes:
    """One object, its signature checked; raises ObjectMissing or SignatureError naming the key."""
    key, signature_key = key_of(environment, id, name), key_of(environment, id, signature_of(name))
    return read_signed(environment.store, key, signature_key, environment.verifier())


def write_object(environment: Environment, id: RestorePointId, name: str, document: bytes, signer: Signer) -> str:
    """Store and sign one object create-only; the same bytes again are no error. Returns its key."""
    key = key_of(environment, id, name)
    write_signed(environment.store, key, key_of(environment, id, signature_of(name)), document, signer)
    return key


def write_report(
    environment: Environment, id: RestorePointId, name: str, report: bytes, documents: tuple[bytes, bytes | None]
) -> None:
    """Store and sign a report, or leave the one that stands and shows the same ``documents``.

    Another version of holdfast may have drawn it differently before it was killed.
    """
    try:
        standing = read_object(environment, id, name)
    except ObjectMissing:
        standing = None
    if standing is None or not shows(standing, *documents):
        write_object(environment, id, name, report, environment.signer())

"""Whether what an operation kept before it changed live is still there: rows that it wrote or replaced."""

from __future__ import annotations

from collections.abc import Iterator

from holdfast.environment import Environment
from holdfast.errors import ObjectMissing, PermanentError
from holdfast.evidence import read_evidence
from holdfast.manifest.evidence import Evidence
from holdfast.operation.rows.record import ROWS, find_record
from holdfast.operation.steps import APPLY
from holdfast.operation.tables.previous import SHA256, sha256_of
from holdfast.values.ids import RestorePointId

_OF_ROWS = ("recover_rows", "undo_rows")


def kept_faults(environment: Environment, operation: RestorePointId) -> list[str]:
    """What is missing or altered of it; nothing of drills. Raises what reading the evidence raises."""
    evidence = read_evidence(environment, operation)
    if evidence.is_drill:
        return []
    return [*_of_rows(environment, operation, evidence), *_of_tables(environment, evidence)]


def _of_rows(environment: Environment, operation: RestorePointId, evidence: Evidence) -> Iterator[str]:
    """An operation on rows that has written has left a signed record, which names the hash of the rows."""
    has_written = any(step.name == APPLY and step.outcome == "passed" for step in evidence.steps)
    if evidence.kind not in _OF_ROWS or not has_written:
        return
    key = environment.keys.evidence_object(operation, ROWS)
    try:
        record = find_record(environment, operation)
    except PermanentError as error:
        yield error.message
        return
    if record is None:
        yield f"{key.removesuffix(ROWS)}: the record of the rows that were written is missing"
    else:
        yield from _altered(environment, key, record.sha256)


def _of_tables(environment: Environment, evidence: Evidence) -> Iterator[str]:
    for step in evidence.steps:
        for name, sha256 in step.facts.items():
            key = step.facts.get(name.removesuffix(SHA256))
            if name.endswith(SHA256) and isinstance(key, str) and key.startswith(environment.keys.evidence):
                yield from _altered(environment, key, str(sha256))


def _altered(environment: Environment, key: str, sha256: str) -> Iterator[str]:
    try:
        found = sha256_of(environment, key)
    except ObjectMissing:
        yield f"{key}: is missing"
        return
    if found != sha256:
        yield f"{key}: sha256 mismatch"

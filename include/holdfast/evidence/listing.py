"""The evidence of an environment as people and scripts list it."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from typing import Literal

from holdfast.environment import Environment
from holdfast.errors import IntegrityError, PermanentError
from holdfast.evidence.acts import standing
from holdfast.evidence.objects import CLOSED_REPORT, CLOSING, EVIDENCE, KINDS, REPORT, key_of, signature_of
from holdfast.evidence.records import read_closing, read_evidence
from holdfast.manifest.evidence import Closing, Evidence
from holdfast.storage.protocol import StoredObject
from holdfast.values.ids import RestorePointId

_READERS = 16
# Evidence of ten thousand tables takes two; what a stranger put there must not fill the memory.
_LARGEST_BYTES = 64 << 20
Approval = Literal["given", "waiting", "not asked", "not reached", "unknown"]


@dataclass(frozen=True, slots=True)
class EvidenceEntry:
    """One drill, restore check or operation; without a verdict, ``faults`` says why its evidence cannot be trusted.

    ``approval``: ``not reached`` where it failed before anybody had agreed. ``instant``: what was recovered to, by the
    base backup that stands as restore point; None where none was.
    """

    id: str
    kind: str
    opened_at: str
    restore_point: str | None
    verdict: str | None
    approval: Approval
    approvers: tuple[str, ...]
    restore_seconds: float | None
    rto_seconds: float | None
    findings: int
    faults: tuple[str, ...]
    instant: str | None = None

    def as_json(self) -> dict[str, object]:
        """The entry as an object of plain values."""
        return {**asdict(self), "approvers": list(self.approvers), "faults": list(self.faults)}


def list_evidence(environment: Environment) -> list[EvidenceEntry]:
    """Every drill, restore check and operation that left evidence, oldest first, signatures checked.

    One that is broken or forged is listed with its fault; what still runs, and what strangers put into the
    prefix, are not.
    """
    environment.verifier()
    with ThreadPoolExecutor(_READERS) as readers:
        return list(readers.map(lambda folder: _entry(environment, *folder), recorded(environment).items()))


def recorded(environment: Environment) -> dict[RestorePointId, dict[str, StoredObject]]:
    """What left evidence, oldest first, each with its objects by their name there, from one listing."""
    return {id: objects for id, objects in folders(environment).items() if _is_recorded(objects)}


def folders(environment: Environment) -> dict[RestorePointId, dict[str, StoredObject]]:
    """All drills, checks and operations that left anything, oldest first, each with its objects, from one listing."""
    prefix = environment.keys.evidence
    found: dict[RestorePointId, dict[str, StoredObject]] = {}
    for stored in environment.store.list(prefix):
        folder, slash, name = stored.key[len(prefix) :].partition("/")
        id = RestorePointId.recognised(folder)
        if slash and name and id is not None and id.tier in KINDS:
            found.setdefault(id, {})[name] = stored
    return dict(sorted(found.items()))


def _is_recorded(objects: dict[str, StoredObject]) -> bool:
    """Whether evidence stands there, or ever did: drafts alone are of one that runs, or died."""
    written = (EVIDENCE, REPORT, CLOSING, CLOSED_REPORT)
    return not objects.keys().isdisjoint((*written, *map(signature_of, written)))


def demand_small(environment: Environment, id: RestorePointId, objects: dict[str, StoredObject]) -> None:
    """Raise IntegrityError where an object is larger than any that holdfast writes."""
    for name in (EVIDENCE, CLOSING, signature_of(EVIDENCE), signature_of(CLOSING)):
        if name in objects and objects[name].size_bytes > _LARGEST_BYTES:
            raise IntegrityError(f"{key_of(environment, id, name)}: {objects[name].size_bytes} bytes, no evidence is")


def _entry(environment: Environment, id: RestorePointId, objects: dict[str, StoredObject]) -> EvidenceEntry:
    try:
        demand_small(environment, id, objects)
        evidence = read_evidence(environment, id)
    except PermanentError as error:
        return _as_entry(id, None, None, (error.message,))
    try:
        return _as_entry(id, evidence, read_closing(environment, id), ())
    except PermanentError as error:
        return _as_entry(id, evidence, None, (error.message,))


def _as_entry(
    id: RestorePointId, evidence: Evidence | None, closing: Closing | None, faults: tuple[str, ...]
) -> EvidenceEntry:
    return EvidenceEntry(
        id=str(id),
        kind=id.tier,
        opened_at=id.opened_at.isoformat(),
        restore_point=evidence.restore_point if evidence else None,
        verdict=evidence.verdict if evidence else None,
        approval="unknown" if faults else _approval(evidence, closing),
        approvers=_approvers(evidence, closing),
        restore_seconds=evidence.restore_seconds if evidence else None,
        rto_seconds=evidence.rto_seconds if evidence else None,
        findings=len(evidence.findings) if evidence else 0,
        faults=faults,
        instant=evidence.pitr.instant.isoformat() if evidence and evidence.pitr else None,
    )


def _approvers(evidence: Evidence | None, closing: Closing | None) -> tuple[str, ...]:
    found = closing.approvals if closing is not None else standing(evidence.approvals) if evidence is not None else ()
    return tuple(approval.approver for approval in found)


def _approval(evidence: Evidence | None, closing: Closing | None) -> Approval:
    if closing is not None:
        return closing.approval
    if evidence is None or evidence.approval == "not asked":
        return "not asked"
    if not evidence.is_drill:
        return _of_operation(evidence)
    return "waiting" if evidence.verdict == "passed" else "not reached"


def _of_operation(evidence: Evidence) -> Approval:
    """It is recorded after people have answered: one without approvals came to its end before, or asks nobody."""
    if standing(evidence.approvals):
        return "given"
    return "not asked" if evidence.verdict == "passed" else "not reached"

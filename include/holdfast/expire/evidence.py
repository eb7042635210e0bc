"""Deletes evidence of drills, checks and operations that its own rule lets go, and what dead ones left behind."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial

from holdfast.audit import record_deletions
from holdfast.environment import Environment
from holdfast.errors import PermanentError, StoreRefused
from holdfast.evidence import read_evidence
from holdfast.evidence.acts import changed
from holdfast.evidence.listing import folders as evidence_folders
from holdfast.evidence.objects import CLOSING, DRILL_KINDS, EVIDENCE, OPERATION_KINDS, signature_of
from holdfast.expire.deletion import Deletion, DeletionReport
from holdfast.expire.locks import Locks
from holdfast.manifest.evidence import Evidence, Fact
from holdfast.retention import Decision
from holdfast.retention.evidence import Proof, decide_evidence, newest_passed
from holdfast.retention.orphans import is_orphan
from holdfast.storage.protocol import StoredObject
from holdfast.values.duration import Duration
from holdfast.values.ids import RestorePointId

type _Objects = Mapping[str, StoredObject]
type _Folders = Mapping[RestorePointId, _Objects]

# Facts of steps that say how long a replaced database or replaced media are kept.
_KEPT_UNTIL = ("keep_until", "media_keep_until")
# Evidence exists if and only if its first object does; without the next two nothing speaks of it any more.
_FIRST = (EVIDENCE, signature_of(EVIDENCE), CLOSING)


@dataclass(frozen=True, slots=True)
class EvidenceReport(DeletionReport):
    """What expire did with evidence, approvals included; ``kept``: all that some rule covers and that stays."""

    kind = "evidence"


def expire_evidence(
    environment: Environment, standing: Collection[RestorePointId], *, now: datetime, dry_run: bool, locks: Locks
) -> EvidenceReport:
    """Delete expired evidence with its approvals, and remnants of dead drills and operations, or only tell which.

    ``standing``: the restore points that still exist. Evidence of a kind whose tier has no ``keep`` stays;
    operations, which have no tier, follow ``restore_drill``.
    """
    rules = _rules(environment)
    folders = evidence_folders(environment)
    proofs = _proofs(environment, {id: each for id, each in folders.items() if id.tier in rules}, rules, now)
    kept: list[Decision] = []
    going: list[tuple[_Gone, Deletion]] = []
    for decision in decide_evidence(proofs, standing, rules, now):
        gone = None if decision.keep else _Gone.of(environment, decision.id)
        locked = None if gone is None else locks.reason(gone.keys)
        if gone is None or locked is not None:
            kept.append(decision if locked is None else Decision(decision.id, True, locked))
            continue
        going.append((gone, Deletion(str(decision.id), decision.reason, gone.bytes, is_remnant=False)))
    for id in _remnants(environment, folders, rules, now):
        gone = _Gone.of(environment, id)
        if EVIDENCE in gone.names or locks.reason(gone.keys) is not None:
            continue
        reason = f"{_kind(id)} without evidence, older than {_grace(environment, id)}"
        going.append((gone, Deletion(str(id), reason, gone.bytes, True)))
    record_deletions(environment, "evidence", [(each.id, each.reason) for _, each in going], dry_run=dry_run)
    deleted = [deletion for gone, deletion in going if dry_run or _delete(environment, gone, deletion)]
    return EvidenceReport(tuple(kept), tuple(deleted))


def _delete(environment: Environment, gone: _Gone, deletion: Deletion) -> bool:
    """Delete what was found; False where a dead drill or operation has come to its evidence after all."""
    if deletion.is_remnant:
        gone = _Gone.of(environment, RestorePointId.parse(deletion.id))
        if EVIDENCE in gone.names:
            return False
    gone.delete(environment)
    return True


@dataclass(frozen=True, slots=True)
class _Gone:
    """All that belongs to one drill or operation, looked at afresh, in the order in which it is deleted."""

    names: frozenset[str]
    keys: tuple[str, ...]
    bytes: int

    @classmethod
    def of(cls, environment: Environment, id: RestorePointId) -> _Gone:
        """What stands of it: its evidence, and what was asked and answered about it."""
        prefix = environment.keys.evidence_of(id)
        own = {stored.key[len(prefix) :]: stored for stored in environment.store.list(prefix)}
        first = [own[name].key for name in _FIRST if name in own]
        # Approvals go before the rest, so that none is ever left without a folder that leads here.
        approvals = list(environment.store.list(environment.keys.approvals_of(id)))
        rest = sorted(stored.key for name, stored in own.items() if name not in _FIRST)
        size = sum(stored.size_bytes for stored in (*own.values(), *approvals))
        return cls(frozenset(own), (*first, *sorted(stored.key for stored in approvals), *rest), size)

    def delete(self, environment: Environment) -> None:
        for key in self.keys:
            environment.store.delete(key)


def _rules(environment: Environment) -> dict[str, Duration]:
    """The spans by kind. Operations are told of as long as drills, and as long as what they replaced is kept.

    Drills that recover to an instant have no tier of their own either: they are told of as long as other drills.
    """
    policy = environment.policy
    tiers = ((kind, policy.tiers.get(kind)) for kind in DRILL_KINDS)  # type: ignore[call-overload]
    rules = {kind: tier.keep for kind, tier in tiers if tier is not None and tier.keep is not None}
    if "restore_drill" in rules:
        span = _longest(rules["restore_drill"], policy.restore.keep_replaced)
        rules |= {**dict.fromkeys(OPERATION_KINDS, span), "pitr_drill": rules["restore_drill"]}
    return rules


def _are_drafts(objects: Iterable[str]) -> bool:
    return all(name.startswith("draft-") for name in objects)


def _longest(*spans: Duration) -> Duration:
    return max(spans, key=lambda span: span.as_seconds)


def _grace(environment: Environment, id: RestorePointId) -> Duration:
    """How long drafts are left alone: an operation waits for people, and its plan must stand until they answer."""
    policy = environment.policy
    if id.tier in DRILL_KINDS:
        return policy.orphan_grace
    return _longest(policy.orphan_grace, policy.approval.within, policy.restore.keep_replaced)


def _proofs(environment: Environment, folders: _Folders, rules: Mapping[str, Duration], now: datetime) -> list[Proof]:
    """One for all evidence that stands. Read is only what is old, and as much as it takes to know the newest passed.

    What was not read is taken to have passed: it stays for its age anyhow.
    """
    proofs = {id: Proof(id, objects[EVIDENCE].modified_at) for id, objects in folders.items() if EVIDENCE in objects}
    due = {id for id, proof in proofs.items() if proof.taken_at < rules[id.tier].before(now)}
    seen: set[RestorePointId] = set()
    while due := (due | newest_passed(proofs.values())) - seen:
        seen |= due
        proofs |= {id: _read(environment, proofs[id]) for id in due}
    return list(proofs.values())


def _read(environment: Environment, proof: Proof) -> Proof:
    try:
        evidence = read_evidence(environment, proof.id)
    except StoreRefused:
        raise
    except PermanentError:
        return replace(proof, is_trusted=False)
    point = RestorePointId.recognised(evidence.restore_point)
    until = _needed_until(environment, evidence)
    return replace(proof, passed=evidence.verdict == "passed", restore_point=point, needed_until=until)


def _needed_until(environment: Environment, evidence: Evidence) -> datetime | None:
    """Until when what it replaced is kept: as its steps said then, and by the policy as it stands now."""
    steps = changed(evidence)
    if not steps:
        return None
    said = (step.facts.get(name) for step in steps for name in _KEPT_UNTIL)
    found = [moment for moment in map(_moment, said) if moment is not None]
    return max([environment.policy.restore.keep_replaced.after(evidence.finished_at), *found])


def _moment(text: Fact) -> datetime | None:
    with suppress(ValueError):
        found = datetime.fromisoformat(text) if isinstance(text, str) else None
        return found if found is None or found.tzinfo is not None else None
    return None


def _remnants(
    environment: Environment, folders: _Folders, rules: Mapping[str, Duration], now: datetime
) -> Iterator[RestorePointId]:
    """What died before its evidence, and evidence whose deletion was cut off; a later one must stand."""
    newest = max((id for id, objects in folders.items() if EVIDENCE in objects), default=None)
    orphaned = partial(is_orphan, newest_committed=newest, now=now)
    for id, objects in folders.items():
        grace = _grace(environment, id)
        if EVIDENCE in objects or not orphaned(id, _written_at(objects.values()), grace=grace):
            continue
        asked = environment.store.list(environment.keys.approvals_of(id))
        if not orphaned(id, _written_at(asked), grace=grace):
            continue  # somebody was asked, or has answered, only now
        # Where only the evidence itself is gone, somebody may have taken it away to hide something.
        if _are_drafts(objects) or (id.tier in rules and _last(id, objects) < rules[id.tier].before(now)):
            yield id


def _last(id: RestorePointId, objects: _Objects) -> datetime:
    """From when the rule counts: an operation that died may have left the only copy of rows that it replaced."""
    return id.opened_at if id.tier in DRILL_KINDS else max([id.opened_at, *_written_at(objects.values())])


def _kind(id: RestorePointId) -> str:
    return "of a drill" if id.tier in DRILL_KINDS else "of an operation"


def _written_at(objects: Iterable[StoredObject]) -> list[datetime]:
    return [stored.modified_at for stored in objects]

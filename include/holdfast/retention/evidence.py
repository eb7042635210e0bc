"""The retention rule of evidence: which drills, checks, operations are still told of (docs/design.md, "Retention")."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

from holdfast.retention.rules import Decision
from holdfast.values.duration import Duration
from holdfast.values.ids import RestorePointId


@dataclass(frozen=True, slots=True)
class Proof:
    """What retention must know of the evidence of one drill, restore check or operation.

    ``stored_at``: when the store received it, by the store's clock. ``is_trusted``: its signature fits and it belongs
    where it lies. ``restore_point``: the one that was tried, as far as that can be trusted.
    ``needed_until``: as long as what the operation replaced may be switched back.
    """

    id: RestorePointId
    stored_at: datetime
    is_trusted: bool = True
    passed: bool = True
    restore_point: RestorePointId | None = None
    needed_until: datetime | None = None

    @property
    def taken_at(self) -> datetime:
        """The later of the two times: a clock that was behind does not make evidence old."""
        return max(self.id.opened_at, self.stored_at)


def decide_evidence(
    proofs: Iterable[Proof], standing: Collection[RestorePointId], keep: Mapping[str, Duration], now: datetime
) -> list[Decision]:
    """One decision for the evidence of every drill, check and operation, oldest first; ``now`` is aware.

    ``standing``: the restore points that exist. ``keep`` maps kinds to their spans. Whatever ``now`` says, these stay:
    the newest that passed of each kind, what restore points that stand were tried with, what cannot be trusted, and
    every kind without a rule; and of operations also what may still be switched back.
    """
    ordered = sorted(proofs, key=lambda proof: proof.id)
    newest = newest_passed(ordered)
    return [_decide_one(proof, standing, keep.get(proof.id.tier), now, newest) for proof in ordered]


def newest_passed(proofs: Iterable[Proof]) -> set[RestorePointId]:
    """Of each kind the newest that is trusted and passed, by the id and by the store's clock."""
    found = [proof for proof in proofs if proof.is_trusted and proof.passed]
    orders: tuple[Callable[[Proof], tuple[datetime, RestorePointId]], ...] = (
        lambda proof: (proof.id.opened_at, proof.id),
        lambda proof: (proof.stored_at, proof.id),
    )
    return {
        max((proof for proof in found if proof.id.tier == kind), key=order).id
        for kind in {proof.id.tier for proof in found}
        for order in orders
    }


def _decide_one(
    proof: Proof,
    standing: Collection[RestorePointId],
    span: Duration | None,
    now: datetime,
    newest: Collection[RestorePointId],
) -> Decision:
    kind = proof.id.tier
    if proof.id in newest:
        return Decision(proof.id, True, f"newest passed {kind} of the environment")
    if not proof.is_trusted:
        return Decision(proof.id, True, "its signature or place is wrong: left for a person to look at")
    if span is None:
        return Decision(proof.id, True, f"tier {kind} has no keep in the policy")
    if proof.taken_at >= span.before(now):
        return Decision(proof.id, True, f"within {span} of tier {kind}")
    if proof.needed_until is not None and now < proof.needed_until:
        until = f"{proof.needed_until:%Y-%m-%d %H:%M} UTC"
        return Decision(proof.id, True, f"what it replaced may be switched back until {until}")
    if proof.restore_point in standing:
        return Decision(proof.id, True, f"restore point {proof.restore_point} stands")
    return Decision(proof.id, False, f"older than {span} of tier {kind}")

"""Evidence goes by its own rule alone, never the newest that passed, nor that of a restore point which stands."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from holdfast.retention.evidence import Proof, decide_evidence
from holdfast.values.duration import Duration
from holdfast.values.ids import RestorePointId

START = datetime(2026, 1, 1, 2, tzinfo=UTC)
KEEP = {"restore_check": Duration.parse("90d")}
POINTS = [RestorePointId.make(START + timedelta(days=day), "nightly", "x") for day in range(5)]


def _proof(
    day: int, kind: str = "restore_check", *, skew: int = 0, trusted: bool = True, passed: bool = True, point: int = 0
) -> Proof:
    """``skew``: days by which the store's clock is ahead of the host's."""
    id = RestorePointId.make(START + timedelta(days=day), kind, f"{kind}-{day}")
    return Proof(id, id.opened_at + timedelta(days=skew), trusted, passed, POINTS[point])


proofs = st.lists(
    st.builds(
        _proof,
        st.integers(0, 900),
        st.sampled_from(["restore_check", "restore_drill"]),
        skew=st.integers(-900, 900),
        trusted=st.booleans(),
        passed=st.booleans(),
        point=st.integers(0, 4),
    ),
    unique_by=lambda proof: proof.id,
)


@given(
    proofs,
    st.sets(st.sampled_from(POINTS)),
    st.datetimes(datetime(1980, 1, 1), datetime(2150, 1, 1), timezones=st.just(UTC)),
)
def test_invariants_hold_whatever_the_clock_says(
    found: list[Proof], standing: set[RestorePointId], now: datetime
) -> None:
    """What goes was covered by a rule, old by both clocks, trusted, not the newest that passed, and of nothing left."""
    decisions = decide_evidence(found, standing, KEEP, now)
    assert [decision.id for decision in decisions] == sorted(proof.id for proof in found)
    gone = {decision.id for decision in decisions if not decision.keep}
    for proof in found:
        if proof.id in gone:
            assert proof.is_trusted
            assert proof.restore_point not in standing
            assert max(proof.id.opened_at, proof.stored_at) < KEEP[proof.id.tier].before(now)
    for kind in ("restore_check", "restore_drill"):
        passed = [proof for proof in found if proof.id.tier == kind and proof.is_trusted and proof.passed]
        if passed:
            assert max(passed, key=lambda proof: (proof.stored_at, proof.id)).id not in gone
            assert max(proof.id for proof in passed) not in gone


def test_each_line_of_the_rule() -> None:
    """Old evidence of a restore point that is gone goes; everything else stays with its reason."""
    now = START + timedelta(days=400)
    found = [
        _proof(1),
        _proof(2, passed=False),
        _proof(3, point=1),
        _proof(4, trusted=False),
        _proof(5),
        _proof(6, passed=False),
        _proof(390, passed=False),
        _proof(1, "restore_drill", passed=False),
    ]
    decided = {
        (d.id.tier, (d.id.opened_at - START).days): (d.keep, d.reason)
        for d in decide_evidence(found, {POINTS[1]}, KEEP, now)
    }
    assert decided == {
        ("restore_check", 1): (False, "older than 90d of tier restore_check"),
        ("restore_check", 2): (False, "older than 90d of tier restore_check"),
        ("restore_check", 3): (True, f"restore point {POINTS[1]} stands"),
        ("restore_check", 4): (True, "its signature or place is wrong: left for a person to look at"),
        ("restore_check", 5): (True, "newest passed restore_check of the environment"),
        ("restore_check", 6): (False, "older than 90d of tier restore_check"),
        ("restore_check", 390): (True, "within 90d of tier restore_check"),
        ("restore_drill", 1): (True, "tier restore_drill has no keep in the policy"),
    }


def test_evidence_outlives_what_may_be_switched_back() -> None:
    """Old evidence of an operation stays as long as the database that it replaced."""
    now, keep = START + timedelta(days=400), {"restore": Duration.parse("90d")}
    old, kept, newest = _proof(1, "restore"), _proof(2, "restore"), _proof(399, "restore")
    kept = replace(kept, needed_until=now + timedelta(minutes=1))
    decided = decide_evidence([old, kept, newest], set(), keep, now)
    assert [each.keep for each in decided] == [False, True, True]
    assert decided[1].reason == "what it replaced may be switched back until 2027-02-05 02:01 UTC"
    later = decide_evidence([kept, newest], set(), keep, now + timedelta(minutes=1))
    assert [each.keep for each in later] == [False, True]

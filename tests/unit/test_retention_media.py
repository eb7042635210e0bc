"""Media retention keeps what may never be lost, whatever the clock says."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.retention.media import (
    CHECKS_KEPT,
    CHECKS_KEPT_FOR,
    MediaRules,
    PointsLeft,
    Snapshot,
    decide_snapshots,
    expendable_checks,
    expendable_shards,
)
from holdfast.values.duration import Duration
from holdfast.values.ids import RestorePointId

START = datetime(2026, 1, 1, 2, tzinfo=UTC)
KEEP, GRACE = Duration.parse("35d"), Duration.parse("2d")
POINT_TIERS = ("nightly", "monthly", "snapshot")
RULES = MediaRules(KEEP, POINT_TIERS, GRACE)
NOBODY = PointsLeft()


def _id(day: int, tier: str = "media") -> RestorePointId:
    return RestorePointId.make(START + timedelta(days=day), tier, f"{tier}-{day}")


def _snapshot(
    day: int,
    tier: str = "media",
    *,
    finished: int | None = None,
    stored: int | None = None,
    trusted: bool = True,
    whole: bool = True,
) -> Snapshot:
    def moment(given: int | None) -> datetime:
        return START + timedelta(days=day if given is None else given, seconds=1)

    return Snapshot(_id(day, tier), moment(finished), moment(stored), is_trusted=trusted, is_whole=whole and trusted)


days = st.integers(0, 500)
snapshots = st.lists(
    st.builds(
        _snapshot,
        days,
        st.sampled_from(["media", *POINT_TIERS, "restore_check"]),
        finished=st.none() | days,
        stored=st.none() | days,
        trusted=st.booleans(),
        whole=st.booleans(),
    ),
    unique_by=lambda snapshot: snapshot.id,
)
clocks = st.datetimes(datetime(1980, 1, 1), datetime(2150, 1, 1), timezones=st.just(UTC))
rules = st.builds(MediaRules, st.none() | st.just(KEEP), st.just(POINT_TIERS), st.just(GRACE))


@given(snapshots, st.data(), rules, clocks)
def test_invariants_hold_whatever_the_clock_says(
    found: list[Snapshot], data: st.DataObject, rules: MediaRules, now: datetime
) -> None:
    """What points need, the newest, the untrusted and the young stay; each snapshot gets one decision with a reason."""
    ids = st.frozensets(st.sampled_from([snapshot.id for snapshot in found])) if found else st.just(frozenset())
    points = PointsLeft(data.draw(ids), data.draw(ids), data.draw(ids))
    decisions = {decision.id: decision for decision in decide_snapshots(found, points, rules, now)}
    assert set(decisions) == {snapshot.id for snapshot in found}
    for snapshot in found:
        decision = decisions[snapshot.id]
        assert decision.reason
        if decision.keep:
            continue
        assert snapshot.is_trusted
        assert snapshot.id not in points.committed | points.held
        if snapshot.id.tier == "media":
            assert rules.keep is not None
            assert snapshot.id.opened_at < rules.keep.before(now)
            assert snapshot.finished_at < rules.keep.before(now)
        else:
            assert snapshot.id.tier in POINT_TIERS
            assert snapshot.id not in points.unfinished
            assert max(snapshot.stored_at, snapshot.finished_at, snapshot.id.opened_at) < rules.grace.before(now)
    for kind in (
        [snapshot for snapshot in found if snapshot.is_trusted],
        [snapshot for snapshot in found if snapshot.is_whole],
    ):
        if kind:
            assert decisions[max(snapshot.id for snapshot in kind)].keep
            assert decisions[max(kind, key=lambda snapshot: (snapshot.taken_at, snapshot.id)).id].keep
            assert decisions[max(kind, key=lambda snapshot: (snapshot.taken_at_least, snapshot.id)).id].keep
            assert decisions[max(kind, key=lambda snapshot: (snapshot.stored_at, snapshot.id)).id].keep
    if not any(snapshot.is_whole for snapshot in found):
        assert all(decision.keep for decision in decisions.values())


def _kept(found: list[Snapshot], points: PointsLeft = NOBODY, *, rules: MediaRules = RULES, day: int) -> set[object]:
    decisions = decide_snapshots(found, points, rules, START + timedelta(days=day))
    return {decision.id for decision in decisions if decision.keep}


def test_media_tier_goes_by_age_and_the_others_with_their_points() -> None:
    """Two months on, an old snapshot of a restore point that stands outlives a younger one without."""
    found = [_snapshot(0, "nightly"), _snapshot(1), _snapshot(2, "nightly"), _snapshot(50), _snapshot(60)]
    points = PointsLeft(committed=frozenset({_id(0, "nightly")}))
    assert _kept(found, points, day=60) == {_id(0, "nightly"), _id(50), _id(60)}


def test_snapshot_of_a_held_point_stays() -> None:
    """Even where only the hold is left of the restore point."""
    found = [_snapshot(0, "nightly"), _snapshot(60)]
    assert _kept(found, PointsLeft(held=frozenset({_id(0, "nightly")})), day=4000) == {_id(0, "nightly"), _id(60)}


@pytest.mark.parametrize("day", [11, 12, 4000])
def test_snapshot_whose_point_is_under_way_stays(day: int) -> None:
    """For the grace time in any case, and as long as anything of the unfinished restore point stands."""
    found = [_snapshot(10, "nightly"), _snapshot(11)]
    under_way = PointsLeft(unfinished=frozenset({_id(10, "nightly")}))
    assert _id(10, "nightly") in _kept(found, under_way, day=day)
    assert (_id(10, "nightly") in _kept(found, day=day)) == (day <= 12)


def test_newest_whole_stays_beside_newer_ones_that_lost_shards() -> None:
    """What can be restored is kept, and what the next sync goes on from."""
    found = [_snapshot(0), _snapshot(1), _snapshot(2, whole=False), _snapshot(3, whole=False)]
    assert _kept(found, day=4000) == {_id(1), _id(3)}


def test_snapshot_dated_ahead_does_not_take_the_protection_of_the_real_newest() -> None:
    """A host that once believed it was years later leaves one odd id; the newest by the other clock stays too."""
    found = [_snapshot(5), _snapshot(20), _snapshot(1500, finished=10)]
    assert _kept(found, day=9000) == {_id(20), _id(1500)}


def test_snapshot_whose_both_times_lie_ahead_does_not_take_it_either() -> None:
    """Nine years ahead in id and manifest, then the right clock again: the store knows which came last."""
    found = [_snapshot(5), _snapshot(3300, stored=10), _snapshot(20), _snapshot(21)]
    assert _kept(found, day=9000) == {_id(21), _id(3300)}


def test_without_a_rule_media_snapshots_stay_for_ever() -> None:
    """No span in the policy, no deletion."""
    found = [_snapshot(0), _snapshot(1)]
    assert _kept(found, rules=MediaRules(None, POINT_TIERS, GRACE), day=40_000) == {_id(0), _id(1)}


@given(
    st.dictionaries(st.integers(0, 50).map(str), st.integers(-100, 100), max_size=20),
    st.frozensets(st.integers(0, 50).map(str)),
)
def test_loose_shards_wait_and_freed_ones_go(stored: dict[str, int], freed: frozenset[str]) -> None:
    """Each in the whole: of those that nobody names, the freed at once, the rest after the grace time."""
    times = {shard: START + timedelta(hours=hours) for shard, hours in stored.items()}
    due = expendable_shards(times, freed=freed, grace=GRACE, now=START)
    assert set(due) == {shard for shard, hours in stored.items() if shard in freed or hours < -48}
    assert all(due.values())


@given(st.lists(st.integers(-400, 400), unique=True, max_size=200))
def test_newest_and_young_check_records_stay(found: list[int]) -> None:
    """Neither count nor age alone lets one go."""
    checks = [_id(day) for day in found]
    due = expendable_checks(checks, START)
    assert expendable_checks(checks, datetime.min.replace(tzinfo=UTC)) == []
    assert due == sorted(due)
    assert set(due) == {
        check
        for check in checks
        if check.opened_at < CHECKS_KEPT_FOR.before(START) and sum(other > check for other in checks) >= CHECKS_KEPT
    }

"""Retention keeps what may never be lost, whatever the clock says."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from holdfast.retention import Point, decide
from holdfast.retention.orphans import is_orphan
from holdfast.values.duration import Duration
from holdfast.values.ids import RestorePointId

START = datetime(2026, 1, 1, 2, tzinfo=UTC)
KEEP = {"nightly": Duration.parse("35d"), "monthly": Duration.parse("12mo")}


def _id(day: int, tier: str = "nightly") -> RestorePointId:
    return RestorePointId.make(START + timedelta(days=day), tier, f"{tier}-{day}")


def _point(
    day: int,
    tier: str = "nightly",
    *,
    held: bool = False,
    trusted: bool = True,
    good: bool = True,
    check: str | None = None,
) -> Point:
    """``check``: ``passed`` or ``failed``, None where the point was never restored."""
    id = _id(day, tier)
    tried = {"is_restored": check == "passed", "has_failed": check == "failed"}
    return Point(id, id.opened_at, is_held=held, is_trusted=trusted, is_whole=good, **tried)


points = st.lists(
    st.builds(
        _point,
        st.integers(0, 500),
        st.sampled_from(["nightly", "monthly", "snapshot"]),
        held=st.booleans(),
        trusted=st.booleans(),
        good=st.booleans(),
        check=st.sampled_from([None, "passed", "failed"]),
    ),
    unique_by=lambda point: point.id,
)
clocks = st.datetimes(datetime(1980, 1, 1), datetime(2150, 1, 1), timezones=st.just(UTC))


@given(points, clocks)
def test_invariants_hold_whatever_the_clock_says(found: list[Point], now: datetime) -> None:
    """Held, newest restored, newest whole, untrusted and unruled points stay; each gets one decision with a reason."""
    decisions = {decision.id: decision for decision in decide(found, KEEP, now)}
    assert set(decisions) == {point.id for point in found}
    whole = [point for point in found if point.is_whole and point.is_trusted]
    for point in found:
        decision = decisions[point.id]
        assert decision.reason
        if point.is_held or not point.is_trusted or point.id.tier not in KEEP:
            assert decision.keep
        if not decision.keep:
            assert point.id.opened_at < KEEP[point.id.tier].before(now)
    for protected in (
        [point.id for point in whole],
        [point.id for point in whole if point.is_restored],
        [point.id for point in whole if not point.has_failed],
    ):
        if protected:
            assert decisions[max(protected)].keep
    if not whole:
        assert all(decision.keep for decision in decisions.values())


@given(points, clocks, st.dictionaries(st.integers(0, 500), st.integers(-4000, 4000)))
def test_newest_restored_stays_by_each_clock(found: list[Point], now: datetime, skews: dict[int, int]) -> None:
    """Whatever hosts, databases and the store believe the time to be, nobody's newest restored point goes."""
    skewed = [
        replace(
            point,
            snapshot_at=point.snapshot_at + timedelta(days=skews.get(number, 0)),
            stored_at=START + timedelta(days=skews.get(number + 250, number)),
        )
        for number, point in enumerate(found)
    ]
    kept = {decision.id for decision in decide(skewed, KEEP, now) if decision.keep}
    restored = [point for point in skewed if point.is_whole and point.is_trusted and point.is_restored]
    for clock in ("taken_at", "taken_at_least", "stored_at"):
        if restored:
            assert max(restored, key=lambda point: (getattr(point, clock), point.id)).id in kept


def test_newest_restored_is_the_newest_verified() -> None:
    """Newer ones that were not restored, or not well, stay beside it as long as they are the newest; reasons say so."""
    now = START + timedelta(days=4000)
    tried = {5: "passed", 6: "passed", 7: None, 8: None, 9: "failed", 10: "failed"}
    found = {d.id: d for d in decide([_point(day, check=check) for day, check in tried.items()], KEEP, now)}
    assert {id.opened_at.day - 1: found[id].reason for id in found if found[id].keep} == {
        6: "newest verified restore point of the environment",
        8: "newest whole restore point without a failed restore check",
        10: "newest restore point of the environment, but its restore check failed",
    }


def test_restored_point_that_lost_something_is_not_the_newest_verified() -> None:
    """What was restored once, but lacks its media or an artifact now, does not take the protection of a whole one."""
    now = START + timedelta(days=4000)
    lost = [_point(3, check="passed", good=False), replace(_point(4, check="passed"), is_media_whole=False)]
    kept = {d.id: d.reason for d in decide([_point(1, check="passed"), _point(2), *lost], KEEP, now) if d.keep}
    assert kept == {
        _id(1): "newest verified restore point of the environment",
        _id(2): "newest restore point of the environment, not restored yet",
        _id(4): "newest restore point of the environment, but its media are not whole",
    }


def test_each_tier_has_its_own_span() -> None:
    """A nightly of two months ago goes, a monthly of the same day stays."""
    now = START + timedelta(days=100)
    kept = {d.id: d.keep for d in decide([_point(40), _point(40, "monthly"), _point(99)], KEEP, now)}
    assert kept == {_id(40): False, _id(40, "monthly"): True, _id(99): True}


def test_newest_whole_stays_when_newer_ones_are_broken() -> None:
    """Failed points that are newer do not push out the last good one."""
    now = START + timedelta(days=4000)
    found = [_point(1), _point(2), _point(3, good=False), _point(4, trusted=False)]
    kept = {d.id: d.keep for d in decide(found, KEEP, now)}
    assert kept == {_id(1): False, _id(2): True, _id(3): False, _id(4): True}


def test_point_of_a_host_whose_clock_was_behind_is_not_old() -> None:
    """The server's time of the snapshot counts where the host believed it was years ago."""
    behind = Point(_id(0), START + timedelta(days=3000), is_held=False, is_trusted=True, is_whole=True)
    now = START + timedelta(days=3010)
    kept = {d.id: (d.keep, d.reason) for d in decide([behind, _point(2995), _point(1)], KEEP, now)}
    assert kept[_id(0)] == (True, "newest restore point of the environment, not restored yet")
    assert kept[_id(2995)][0]
    assert not kept[_id(1)][0]


def test_point_dated_ahead_does_not_take_the_protection_of_the_real_newest() -> None:
    """A host that once believed it was 2030 leaves one odd id; the newest by the server's clock stays too."""
    ahead = Point(_id(1500), START + timedelta(days=10), is_held=False, is_trusted=True, is_whole=True)
    now = START + timedelta(days=9000)
    kept = {d.id: d.keep for d in decide([ahead, _point(20), _point(5)], KEEP, now)}
    assert kept == {_id(1500): True, _id(20): True, _id(5): False}


def test_point_whose_both_times_lie_ahead_does_not_take_it_either() -> None:
    """Host and database on one machine, nine years ahead, then right again: the store knows which came last."""
    ahead, *real = (
        replace(_point(day), stored_at=START + timedelta(days=stored)) for day, stored in ((3300, 10), (5, 5), (20, 20))
    )
    kept = {d.id: d.keep for d in decide([ahead, *real], KEEP, START + timedelta(days=9000))}
    assert kept == {_id(3300): True, _id(20): True, _id(5): False}


def test_point_without_whole_media_is_not_the_newest_whole() -> None:
    """Its dump is still the newest, and stays beside the one that is whole; without a whole one nothing goes."""
    found = [_point(1), _point(2), *(replace(_point(day), is_media_whole=False) for day in (3, 4))]
    now = START + timedelta(days=4000)
    assert {d.id: d.keep for d in decide(found, KEEP, now)} == {
        _id(1): False,
        _id(2): True,
        _id(3): False,
        _id(4): True,
    }
    assert all(d.keep for d in decide(found[2:], KEEP, now))


def test_orphan_needs_age_and_a_later_commit() -> None:
    """A clock that jumped ahead does not make a running backup an orphan."""
    grace = Duration.parse("2d")
    far = START + timedelta(days=9000)
    written = [START + timedelta(days=5)]
    assert not is_orphan(_id(5), written, newest_committed=_id(4), grace=grace, now=far)
    assert not is_orphan(_id(5), written, newest_committed=None, grace=grace, now=far)
    assert is_orphan(_id(5), written, newest_committed=_id(6), grace=grace, now=far)
    assert not is_orphan(_id(5), [far], newest_committed=_id(6), grace=grace, now=far)
    assert not is_orphan(_id(5), written, newest_committed=_id(6), grace=grace, now=START + timedelta(days=6))

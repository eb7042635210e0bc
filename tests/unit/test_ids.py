"""Restore point ids and object keys parse and print themselves."""

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.errors import UsageError
from holdfast.values.ids import RestorePointId
from holdfast.values.keys import EnvironmentKeys

moments = st.datetimes(datetime(1980, 1, 1), datetime(2200, 1, 1), timezones=st.just(UTC))
tiers = st.from_regex(r"[a-z][a-z0-9_]{0,20}", fullmatch=True)


@given(moments, tiers, st.text())
def test_id_survives_print_and_parse(moment: datetime, tier: str, origin: str) -> None:
    """What is printed is read as the same id."""
    id = RestorePointId.make(moment, tier, origin)
    assert RestorePointId.parse(str(id)) == id


@given(moments, moments, st.text(), st.text())
def test_text_order_is_time_order(first: datetime, second: datetime, a: str, b: str) -> None:
    """Listing a store in key order lists restore points in time order."""
    one, two = RestorePointId.make(first, "nightly", a), RestorePointId.make(second, "nightly", b)
    if one.opened_at != two.opened_at:
        assert (str(one) < str(two)) == (one.opened_at < two.opened_at)


def test_same_origin_gives_the_same_id() -> None:
    """A task that runs again names the same restore point; another run names another."""
    moment = datetime(2026, 11, 22, 2, 0, 0, 123, tzinfo=UTC)
    shifted = moment.astimezone(timezone(timedelta(hours=5)))
    assert RestorePointId.make(moment, "nightly", "run-1") == RestorePointId.make(shifted, "nightly", "run-1")
    assert RestorePointId.make(moment, "nightly", "run-1") != RestorePointId.make(moment, "nightly", "run-2")


@pytest.mark.parametrize(
    "text",
    ["", "x", "20261122T020000Z-nightly", "20261322T020000Z-nightly-4f9c2a", "20261122T020000Z-../x-4f9c2a"],
)
def test_malformed_id_is_refused(text: str) -> None:
    """An id comes from people and from key names: only its exact form is taken."""
    with pytest.raises(UsageError):
        RestorePointId.parse(text)


def test_keys_round_trip_and_refuse_escape() -> None:
    """A key below a restore point is split as it was built, and no name leaves its environment."""
    keys = EnvironmentKeys("shop", "production")
    id = RestorePointId.parse("20261122T020000Z-nightly-4f9c2a")
    assert keys.manifest(id) == "shop/production/restore-points/20261122T020000Z-nightly-4f9c2a/manifest.json"
    assert keys.split_restore_point(keys.artifact(id, "database.dump.age")) == (str(id), "database.dump.age")
    assert keys.split_restore_point("shop/production/restore-points/notes.txt") is None
    assert keys.split_restore_point("shop/staging/restore-points/x/y") is None
    for app in ("..", "a/b", "", "A"):
        with pytest.raises(UsageError):
            EnvironmentKeys(app, "production")
    with pytest.raises(UsageError):
        keys.artifact(id, "../../other")

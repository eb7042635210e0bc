"""Lifecycle rules: what is wanting, what does harm, and what may be changed about them."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.guard.lifecycle import Lifecycle

PREFIX = "holdfast/shop/production/"
WHOLE = {
    "ID": "whole",
    "Status": "Enabled",
    "Filter": {"Prefix": ""},
    "AbortIncompleteMultipartUpload": {"DaysAfterInitiation": 3},
    "NoncurrentVersionExpiration": {"NoncurrentDays": 60},
}


def _rule(**parts: Any) -> dict[str, Any]:
    return {"ID": "theirs", "Status": "Enabled", "Filter": {"Prefix": ""}, **parts}


def test_nothing_is_missing_where_one_rule_does_all() -> None:
    """A rule of somebody's own that covers the store will do."""
    found = Lifecycle([WHOLE], PREFIX, lock_days=60)
    assert (found.missing(), found.harms()) == ([], [])


@pytest.mark.parametrize(
    "change",
    [
        {"Status": "Disabled"},
        {"Filter": {"Prefix": "other/"}},
        {"Filter": {"Prefix": PREFIX + "restore-points/"}},
        {"Filter": {"Tag": {"Key": "a", "Value": "b"}}},
        {"Filter": {"And": {"Prefix": "", "Tags": [{"Key": "a", "Value": "b"}]}}},
        {"Filter": {"And": {"Prefix": "", "ObjectSizeGreaterThan": 5}}},
    ],
)
def test_a_rule_for_less_than_the_store_does_not_do(change: dict[str, Any]) -> None:
    """It must be enabled and concern every object."""
    assert len(Lifecycle([{**WHOLE, **change}], PREFIX).missing()) == 2


def test_versions_of_which_some_stay_for_ever_do_not_expire() -> None:
    """Objects are never overwritten, so each has one noncurrent version, and that one would stay."""
    rule = {**WHOLE, "NoncurrentVersionExpiration": {"NoncurrentDays": 60, "NewerNoncurrentVersions": 1}}
    assert Lifecycle([rule], PREFIX).missing() == ["no rule lets noncurrent versions expire"]


@pytest.mark.parametrize(
    ("parts", "lock_days", "said"),
    [
        ({"Expiration": {"Days": 9}}, 0, "rule theirs deletes current objects after 9 days"),
        ({"Expiration": {"Date": "2027-01-01"}}, 0, "rule theirs deletes current objects on 2027-01-01"),
        ({"Expiration": {"Days": 9}, "Filter": {"Prefix": PREFIX + "media/"}}, 0, "deletes current objects"),
        ({"Expiration": {"Days": 9}, "Filter": {"ObjectSizeLessThan": 5}}, 0, "deletes current objects"),
        ({"Expiration": {"Days": 9}, "Prefix": "holdfast", "Filter": {}}, 0, "deletes current objects"),
        ({"NoncurrentVersionExpiration": {"NoncurrentDays": 30}}, 31, "after 30 days: object_lock asks for 31"),
        ({"NoncurrentVersionExpiration": {"NoncurrentDays": 1}}, 0, "after 1 days: too soon to notice"),
    ],
)
def test_rules_that_take_backups_away_are_named(parts: dict[str, Any], lock_days: int, said: str) -> None:
    """Also when they concern but some of the objects."""
    (harm,) = Lifecycle([_rule(**parts)], PREFIX, lock_days).harms()
    assert said in harm


@pytest.mark.parametrize(
    "parts",
    [
        {"Expiration": {"ExpiredObjectDeleteMarker": True}},
        {"Expiration": {"Days": 1}, "Filter": {"Prefix": "holdfast/shop/staging/"}},
        {"Expiration": {"Days": 1}, "Filter": {"Tag": {"Key": "tmp", "Value": "1"}}},
        {"Expiration": {"Days": 1}, "Status": "Disabled"},
        {"NoncurrentVersionExpiration": {"NoncurrentDays": 7}},
    ],
)
def test_harmless_rules_are_no_fault(parts: dict[str, Any]) -> None:
    """Other prefixes, tagged objects and spent delete markers are not ours."""
    assert Lifecycle([_rule(**parts)], PREFIX).harms() == []


def test_mending_keeps_the_rules_of_others() -> None:
    """A rule beyond the store's prefix stays, harmful or not; one within it is switched off, not removed."""
    beyond = _rule(ID="beyond", Expiration={"Days": 1})
    within = _rule(ID="within", Expiration={"Days": 1}, Filter={"Prefix": PREFIX})
    other = _rule(ID="other", Expiration={"Days": 1}, Filter={"Prefix": "other/"})
    mended = Lifecycle([beyond, within, other], PREFIX, lock_days=90).mended()
    assert mended[:3] == [beyond, {**within, "Status": "Disabled"}, other]
    assert Lifecycle(mended, PREFIX, lock_days=90).harms() == ["rule beyond deletes current objects after 1 days"]


def test_mending_rewrites_the_old_form() -> None:
    """A prefix beside the filter is refused together with rules of today's form."""
    old = {"ID": "old", "Status": "Enabled", "Prefix": "logs/", "Expiration": {"Days": 1}}
    first = Lifecycle([old], PREFIX).mended()[0]
    assert first == {"ID": "old", "Status": "Enabled", "Filter": {"Prefix": "logs/"}, "Expiration": {"Days": 1}}


@given(lock_days=st.integers(0, 4000), prefix=st.sampled_from([PREFIX, "shop/staging/"]), times=st.integers(1, 3))
def test_mended_rules_are_whole_and_shorten_no_lock(lock_days: int, prefix: str, times: int) -> None:
    """Mending again adds nothing, and no version goes before its lock ends."""
    rules: Any = []
    for _ in range(times):
        rules = Lifecycle(rules, prefix, lock_days).mended()
    assert len(rules) == 1
    assert "Days" not in rules[0]["Expiration"]
    found = Lifecycle(rules, prefix, lock_days)
    assert (found.missing(), found.harms(), found.delays()) == ([], [], [])


def test_cold_storage_is_told() -> None:
    """A restore from there waits for hours."""
    rule = _rule(Transitions=[{"Days": 1, "StorageClass": "GLACIER"}, {"Days": 9, "StorageClass": "STANDARD_IA"}])
    assert Lifecycle([WHOLE, rule], PREFIX).delays() == ["rule theirs moves objects to GLACIER"]

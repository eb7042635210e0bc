"""Expire on a bucket that locks: what the store would only hide is kept, and said to be."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from fix_bucket import RawBucket
from fix_environment import MakeSite, Site
from holdfast.environment import Environment
from holdfast.errors import StoreRefused
from holdfast.expire import expire
from holdfast.expire.locks import FOREVER, Locks
from holdfast.values.ids import RestorePointId
from holdfast_embedded.seaweedfs import SeaweedFS
from point_factory import store_point

START = datetime(2026, 1, 1, 2, tzinfo=UTC)
LATER = START + timedelta(days=90)
LOCK = "conn_id: shop_store, object_lock: {mode: governance, days: 3}}"


@pytest.fixture
def site(make_site: MakeSite, seaweed: SeaweedFS, lock_bucket: RawBucket) -> Site:
    """A site whose store is a bucket that can lock; its policy says nothing of it."""
    return make_site(
        "postgresql://nobody@127.0.0.1:1/none",
        store_url=f"s3://{lock_bucket.name}/holdfast",
        store_conn=seaweed.connection_json(),
    )


@pytest.fixture(params=["by policy", "unsaid"])
def environment(request: pytest.FixtureRequest, site: Site) -> Environment:
    """With and without ``object_lock`` in the policy: the bucket locks in either case."""
    if request.param == "by policy":
        site.edit_policy("conn_id: shop_store}", LOCK)
    return site.environment()


def _point(environment: Environment, day: int) -> RestorePointId:
    return store_point(environment.catalog, environment.signer(), START + timedelta(days=day))


def _lock_by_default(bucket: RawBucket) -> None:
    retention = {"DefaultRetention": {"Mode": "GOVERNANCE", "Days": 3}}
    bucket.put_object_lock_configuration(ObjectLockConfiguration={"ObjectLockEnabled": "Enabled", "Rule": retention})


def _lock(bucket: RawBucket, key: str, until: datetime) -> None:
    bucket.put_object_retention(
        Key=f"holdfast/{key}",
        Retention={"Mode": "GOVERNANCE", "RetainUntilDate": until},
        BypassGovernanceRetention=True,
    )


def _report(environment: Environment, now: datetime = LATER, **more: Any) -> tuple[list[str], dict[str, str]]:
    report = expire(environment, now=now, **more)
    return [deletion.id for deletion in report.deleted], {str(each.id): each.reason for each in report.kept}


def test_locked_points_stay_whatever_the_time_given(environment: Environment, lock_bucket: RawBucket) -> None:
    """The lock ends by the store's clock; --now of years later ends none, and no delete marker appears."""
    _lock_by_default(lock_bucket)
    old, newest = _point(environment, 0), _point(environment, 50)
    for is_dry in (True, False):
        deleted, kept = _report(environment, LATER + timedelta(days=4000), dry_run=is_dry)
        assert deleted == []
        ends = datetime.now(UTC) + timedelta(days=3)
        assert kept[str(old)].startswith(f"locked until {ends:%Y-%m-%dT}")
        assert "newest" in kept[str(newest)]
    assert "DeleteMarkers" not in lock_bucket.list_object_versions()
    assert environment.catalog.manifest(old, environment.verifier())


def test_one_locked_object_keeps_its_restore_point_whole(environment: Environment, lock_bucket: RawBucket) -> None:
    """A dump without its manifest would be of no use."""
    old, free, _ = (_point(environment, day) for day in (0, 1, 50))
    until = datetime.now(UTC).replace(microsecond=0) + timedelta(days=2)
    _lock(lock_bucket, environment.keys.artifact(old, "database.dump.age"), until)
    deleted, kept = _report(environment)
    assert deleted == [str(free)]
    assert kept[str(old)] == f"locked until {until:%Y-%m-%dT%H:%M:%SZ}"
    assert Locks(environment).until(environment.keys.artifact(old, "database.dump.age")) == until
    assert Locks(environment).until(environment.keys.manifest(old)) is None


def test_a_legal_hold_has_no_end(environment: Environment, lock_bucket: RawBucket) -> None:
    """It stays until someone lifts it in the store."""
    old, _ = _point(environment, 0), _point(environment, 50)
    key = environment.keys.manifest(old)
    lock_bucket.put_object_legal_hold(Key=f"holdfast/{key}", LegalHold={"Status": "ON"})
    assert Locks(environment).until(key) == FOREVER
    deleted, kept = _report(environment)
    assert (deleted, kept[str(old)]) == ([], "under legal hold in the store")
    lock_bucket.put_object_legal_hold(Key=f"holdfast/{key}", LegalHold={"Status": "OFF"})
    assert _report(environment)[0] == [str(old)]


def test_a_lock_that_has_ended_holds_nothing(environment: Environment, lock_bucket: RawBucket) -> None:
    """What was locked goes once the store lets it."""
    old, _ = _point(environment, 0), _point(environment, 50)
    key = environment.keys.manifest(old)
    _lock(lock_bucket, key, datetime.now(UTC) + timedelta(seconds=3))
    assert _report(environment)[0] == []
    locks = Locks(environment)
    deadline = datetime.now(UTC) + timedelta(seconds=20)
    while locks.until(key) is not None:
        assert datetime.now(UTC) < deadline
    assert _report(environment)[0] == [str(old)]


def test_locked_remnants_are_not_called_deleted(environment: Environment, lock_bucket: RawBucket) -> None:
    """Those of a backup that died stay too, until their lock ends."""
    dead = RestorePointId.make(START, "nightly", "dead")
    key = environment.keys.artifact(dead, "database.dump.age")
    environment.store.put(key, [b"half"])
    _point(environment, 5)
    _lock(lock_bucket, key, datetime.now(UTC) + timedelta(days=1))
    far = datetime.now(UTC) + timedelta(days=30)
    assert str(dead) not in _report(environment, far)[0]
    _lock(lock_bucket, key, datetime.now(UTC) + timedelta(seconds=2))
    locks = Locks(environment)
    deadline = datetime.now(UTC) + timedelta(seconds=20)
    while locks.until(key) is not None:
        assert datetime.now(UTC) < deadline
    assert str(dead) in _report(environment, far)[0]


def test_nothing_is_deleted_where_locks_may_not_be_asked_for(site: Site, lock_bucket: RawBucket) -> None:
    """Not knowing is taken for locked: the run fails before it has deleted anything."""
    site.edit_policy("conn_id: shop_store}", LOCK)
    environment = site.environment()
    old, _ = _point(environment, 0), _point(environment, 50)
    places = f'["arn:aws:s3:::{lock_bucket.name}", "arn:aws:s3:::{lock_bucket.name}/*"]'
    statement = f'{{"Effect":"Deny","Principal":"*","Action":["s3:GetObjectRetention"],"Resource":{places}}}'
    lock_bucket.put_bucket_policy(Policy=f'{{"Version":"2012-10-17","Statement":[{statement}]}}')
    with pytest.raises(StoreRefused, match="object retention"):
        expire(environment, now=LATER)
    lock_bucket.delete_bucket_policy()
    assert old in [entry.id for entry in environment.catalog.entries() if entry.is_committed]


def test_a_bucket_without_lock_is_as_ever(site: Site, raw_bucket: RawBucket, lock_bucket: RawBucket) -> None:
    """Versions or not: where nothing is locked, what is due goes."""
    site.edit_policy(lock_bucket.name, raw_bucket.name)
    raw_bucket.keep_versions()
    environment = site.environment()
    old, _ = _point(environment, 0), _point(environment, 50)
    assert Locks(environment).until(environment.keys.manifest(old)) is None
    assert _report(environment)[0] == [str(old)]

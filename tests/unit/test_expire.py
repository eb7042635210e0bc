"""Expire deletes what retention let go, and nothing else, also when it is cut off or the clock lies."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import mkdtemp

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fix_environment import MakeSite, Site
from holdfast.crypto.signing import Signer
from holdfast.environment import Environment
from holdfast.errors import ObjectMissing, UsageError
from holdfast.expire import add_hold, expire, remove_hold
from holdfast.storage.local import LocalStore
from holdfast.values.ids import RestorePointId
from point_factory import store_check, store_point

START = datetime(2026, 1, 1, 2, tzinfo=UTC)
MakeStore = Callable[[], Environment]


@pytest.fixture
def site(make_site: MakeSite) -> Site:
    """A site whose database is never asked for."""
    return make_site("postgresql://nobody@127.0.0.1:1/none")


@pytest.fixture
def environment(site: Site) -> Environment:
    return site.environment()


@pytest.fixture
def make_store(environment: Environment, tmp_path: Path) -> MakeStore:
    """The same environment with an empty store, for each example of a property."""
    return lambda: replace(environment, store=LocalStore(Path(mkdtemp(dir=tmp_path))))


def _point(environment: Environment, day: int, tier: str = "nightly") -> RestorePointId:
    return store_point(environment.catalog, environment.signer(), START + timedelta(days=day), tier)


def _ids(environment: Environment) -> list[RestorePointId]:
    return [entry.id for entry in environment.catalog.entries() if entry.is_committed]


def test_old_points_go_with_everything_they_own(environment: Environment, site: Site) -> None:
    """Two of four are past 35 days; nothing of them is left in the store."""
    ids = [_point(environment, day) for day in (0, 10, 40, 50)]
    report = expire(environment, now=START + timedelta(days=60))
    assert [deletion.id for deletion in report.deleted] == [str(ids[0]), str(ids[1])]
    assert _ids(environment) == ids[2:]
    assert not [name for name in site.stored_files() if str(ids[0]) in name or str(ids[1]) in name]


def test_dry_run_says_the_same_and_deletes_nothing(environment: Environment, site: Site) -> None:
    """What a dry run announces is what the run then does."""
    for day in (0, 10, 40):
        _point(environment, day)
    before = site.stored_files()
    now = START + timedelta(days=60)
    announced = expire(environment, now=now, dry_run=True)
    assert site.stored_files() == before
    done = expire(environment, now=now)
    assert announced.deleted == done.deleted
    assert all(deletion.reason for deletion in announced.deleted)


@pytest.mark.parametrize("year", [1985, 2026, 2090])
def test_newest_verified_and_held_stay_under_any_clock(environment: Environment, year: int) -> None:
    """A clock that jumps decades never takes the last good restore point, nor a held one."""
    held, _, newest = (_point(environment, day) for day in (0, 1, 2))
    add_hold(environment, held, now=START, by="test")
    expire(environment, now=datetime(year, 6, 1, tzinfo=UTC))
    assert {held, newest} <= set(_ids(environment))


def test_forged_or_damaged_newer_points_do_not_push_out_the_good_one(environment: Environment, site: Site) -> None:
    """Neither an unsigned point nor one that lost its dump counts as the newest whole one."""
    good, damaged, forged = (_point(environment, day) for day in (0, 1, 2))
    environment.store.delete(environment.keys.artifact(damaged, "database.dump.age"))
    environment.store.delete(environment.keys.signature(forged))
    report = expire(environment, now=START + timedelta(days=4000))
    kept = {str(decision.id): decision.reason for decision in report.kept}
    assert "newest restore point" in kept[str(good)]
    assert "signature" in kept[str(forged)]


def test_hold_added_after_listing_is_honoured(environment: Environment, monkeypatch: pytest.MonkeyPatch) -> None:
    """A hold that arrives while expire runs still saves its restore point."""
    old, _ = _point(environment, 0), _point(environment, 50)
    real = type(environment.catalog).entries

    def entries_then_hold(self):  # type: ignore[no-untyped-def]
        found = real(self)
        add_hold(environment, old, now=START, by="test")
        return found

    monkeypatch.setattr(type(environment.catalog), "entries", entries_then_hold)
    report = expire(environment, now=START + timedelta(days=90))
    assert report.deleted == ()
    assert old in _ids(environment)


def test_remnant_goes_only_after_grace_and_a_later_commit(environment: Environment) -> None:
    """A backup that may still run is left alone, even when the clock jumps ahead."""
    dead = RestorePointId.make(START, "nightly", "dead")
    environment.store.put(environment.keys.artifact(dead, "database.dump.age"), [b"half"])
    far = datetime.now(UTC) + timedelta(days=365)
    assert expire(environment, now=far).deleted == ()
    _point(environment, 5)
    assert expire(environment, now=START + timedelta(days=6)).deleted == ()
    (deletion,) = expire(environment, now=far).deleted
    assert deletion.is_remnant
    assert deletion.id == str(dead)


def test_half_deleted_point_is_collected_later(environment: Environment, site: Site) -> None:
    """Expire killed after the manifest leaves no restore point, and a remnant for the next round."""
    old, _ = _point(environment, 0), _point(environment, 50)
    environment.store.delete(environment.keys.manifest(old))
    assert old not in _ids(environment)
    expire(environment, now=datetime.now(UTC) + timedelta(days=365))
    assert not [name for name in site.stored_files() if str(old) in name]


def test_tier_without_rule_is_kept(environment: Environment, site: Site) -> None:
    """Taking a tier out of the policy deletes nothing."""
    old, _ = _point(environment, 0, "monthly"), _point(environment, 50)
    site.edit_policy('      monthly: {schedule: "0 3 1 * *", keep: 12mo}\n', "")
    expire(site.environment(), now=START + timedelta(days=4000))
    assert old in _ids(environment)


def test_hold_and_lift(environment: Environment) -> None:
    """Holding twice and lifting twice are no errors; an unknown id is."""
    id = _point(environment, 0)
    assert add_hold(environment, id, now=START, by="test", reason="lawsuit")
    assert not add_hold(environment, id, now=START, by="test")
    document = json.loads(environment.store.get(environment.keys.hold(id)))
    assert document["reason"] == "lawsuit"
    assert remove_hold(environment, id)
    assert not remove_hold(environment, id)
    with pytest.raises(ObjectMissing):
        add_hold(environment, RestorePointId.make(START, "nightly", "no"), now=START, by="test")


def test_expire_needs_a_key_to_trust(site: Site) -> None:
    """Without a key to check manifests with, nothing is deleted."""
    text = site.policy_file.read_text()
    kept = [line for line in text.splitlines() if "signing_key_file" not in line and "verify_key_file" not in line]
    site.policy_file.write_text("\n".join(kept))
    with pytest.raises(UsageError, match="verify_key_file"):
        expire(site.environment(), now=START)


def test_cli_expire_and_hold(site: Site) -> None:
    """The commands as scripts call them, with the clock given and refused without offset."""
    environment = site.environment()
    old, new = _point(environment, 0), _point(environment, 50)
    policy = str(site.policy_file)
    assert site.json("hold", "add", policy, "production", str(old))["changed"] is True
    now = (START + timedelta(days=90)).isoformat()
    assert site.json("expire", policy, "production", "--now", now)["deleted"] == []
    site.json("hold", "remove", policy, "production", str(old))
    dry = site.json("expire", policy, "production", "--now", now, "--dry-run")
    assert [deletion["id"] for deletion in dry["deleted"]] == [str(old)]
    assert site.ids() == [str(old), str(new)]
    site.json("expire", policy, "production", "--now", now)
    assert site.ids() == [str(new)]
    refused = site.run("expire", policy, "production", "--now", "2026-11-22T02:00:00", expect=2)
    assert b"UTC offset" in refused.stderr


def test_newest_restored_stays_beside_the_newest(environment: Environment) -> None:
    """Its last check passed; those after it failed or were never made."""
    signer = environment.signer()
    ids = [_point(environment, day) for day in range(5)]
    for day, passed in ((0, True), (1, False), (1, True), (2, True), (3, True), (3, False)):
        moment = START + timedelta(days=day, hours=1 + passed if day == 1 else 2 - passed)
        store_check(environment.catalog, signer, ids[day], moment, passed=passed)
    report = expire(environment, now=START + timedelta(days=4000))
    assert {str(decision.id): decision.reason for decision in report.kept} == {
        str(ids[2]): "newest verified restore point of the environment",
        str(ids[4]): "newest restore point of the environment, not restored yet",
    }
    assert _ids(environment) == [ids[2], ids[4]]


def test_forged_checks_take_no_protection_and_give_only_time(environment: Environment, site: Site) -> None:
    """A stranger's record makes no point verified, nor the restored one unverified; a person has to look at it."""
    signer, stranger = environment.signer(), Signer.generate()
    old, restored, forged, newest = (_point(environment, day) for day in range(4))
    store_check(environment.catalog, signer, restored, START + timedelta(days=1, hours=1))
    store_check(environment.catalog, stranger, restored, START + timedelta(days=3), passed=False)
    store_check(environment.catalog, stranger, forged, START + timedelta(days=3))
    store_check(environment.catalog, stranger, old, START + timedelta(days=3))
    expire(environment, now=START + timedelta(days=4000))
    assert _ids(environment) == [old, restored, forged, newest]
    for id in (old, forged):
        for stored in list(environment.store.list(environment.keys.restore_point(id))):
            if "restore-check" in stored.key:
                environment.store.delete(stored.key)
    expire(environment, now=START + timedelta(days=4000))
    assert _ids(environment) == [restored, newest]
    assert not [name for name in site.stored_files() if str(old) in name or str(forged) in name]


def test_the_verified_point_stays_though_its_record_was_spoilt(environment: Environment) -> None:
    """Also beside a newer one that failed, and the newest, which nobody has restored."""
    signer = environment.signer()
    good, failed, newest = (_point(environment, day) for day in range(3))
    store_check(environment.catalog, signer, good, START + timedelta(hours=1))
    store_check(environment.catalog, signer, failed, START + timedelta(days=1, hours=1), passed=False)
    for stored in list(environment.store.list(environment.keys.restore_point(good))):
        if "restore-check" in stored.key and stored.key.endswith(".sig"):
            environment.store.delete(stored.key)
    expire(environment, now=START + timedelta(days=4000))
    assert _ids(environment) == [good, newest]


def test_who_spoils_the_record_of_a_failed_check_does_not_choose_what_is_verified(environment: Environment) -> None:
    """The point is passed again by its older record, and disputed: the one that nobody disputes stays as well."""
    signer = environment.signer()
    good, failed, newest = (_point(environment, day) for day in range(3))
    store_check(environment.catalog, signer, good, START + timedelta(hours=1))
    store_check(environment.catalog, signer, failed, START + timedelta(days=1, hours=1))
    moment = START + timedelta(days=1, hours=2)
    store_check(environment.catalog, signer, failed, moment, passed=False)
    [spoilt] = [
        stored.key
        for stored in environment.store.list(environment.keys.restore_point(failed))
        if stored.key.endswith(".sig") and moment.strftime("%Y%m%dt%H%M%Sz") in stored.key
    ]
    environment.store.delete(spoilt)
    expire(environment, now=START + timedelta(days=4000))
    assert _ids(environment) == [good, failed, newest]


def test_restored_point_that_lost_its_dump_protects_no_more(environment: Environment) -> None:
    """The one before it that was restored does."""
    signer = environment.signer()
    good, lost, newest = (_point(environment, day) for day in range(3))
    for day, id in enumerate((good, lost)):
        store_check(environment.catalog, signer, id, START + timedelta(days=day, hours=1))
    environment.store.delete(environment.keys.artifact(lost, "database.dump.age"))
    expire(environment, now=START + timedelta(days=4000))
    assert _ids(environment) == [good, newest]


def test_only_as_many_checks_are_read_as_it_takes(environment: Environment, monkeypatch: pytest.MonkeyPatch) -> None:
    """Newest first, until one has passed."""
    signer = environment.signer()
    ids = [_point(environment, day) for day in range(12)]
    for day, id in enumerate(ids):
        store_check(environment.catalog, signer, id, START + timedelta(days=day, hours=1), passed=day < 10)
    read: list[str] = []
    real = LocalStore.get

    def get(self: LocalStore, key: str) -> bytes:
        read.append(key)
        return real(self, key)

    monkeypatch.setattr(LocalStore, "get", get)
    expire(environment, now=START + timedelta(days=30))
    assert sorted(key.split("/")[3] for key in read if "restore-check" in key and key.endswith(".json")) == sorted(
        map(str, ids[9:])
    )


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(
        st.tuples(st.sampled_from([None, "passed", "failed"]), st.sampled_from([None, "passed", "failed"])),
        min_size=1,
        max_size=6,
    ),
    st.datetimes(datetime(1990, 1, 1), datetime(2110, 1, 1), timezones=st.just(UTC)),
)
def test_newest_restored_stays_whatever_is_forged(
    make_store: MakeStore, tried: list[tuple[str | None, str | None]], now: datetime
) -> None:
    """``tried``: of each point the genuine check, and a forged one that is newer."""
    environment = make_store()
    signer, stranger = environment.signer(), Signer.generate()
    restored = []
    for day, (genuine, forged) in enumerate(tried):
        id, moment = _point(environment, day), START + timedelta(days=day)
        if genuine is not None:
            store_check(environment.catalog, signer, id, moment + timedelta(hours=1), passed=genuine == "passed")
        if forged is not None:
            store_check(environment.catalog, stranger, id, moment + timedelta(hours=2), passed=forged == "passed")
        restored += [id] if genuine == "passed" else []
    expire(environment, now=now)
    left = _ids(environment)
    assert RestorePointId.make(START + timedelta(days=len(tried) - 1), "nightly", "").opened_at == left[-1].opened_at
    if restored:
        assert restored[-1] in left

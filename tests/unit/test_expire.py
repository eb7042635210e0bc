"""Expire deletes what retention let go, and nothing else, also when it is cut off or the clock lies."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import pytest

from fix_environment import MakeSite, Site
from holdfast.environment import Environment
from holdfast.errors import ObjectMissing, UsageError
from holdfast.expire import add_hold, expire, remove_hold
from holdfast.values.ids import RestorePointId
from point_factory import store_point

START = datetime(2026, 1, 1, 2, tzinfo=UTC)


@pytest.fixture
def site(make_site: MakeSite) -> Site:
    """A site whose database is never asked for."""
    return make_site("postgresql://nobody@127.0.0.1:1/none")


@pytest.fixture
def environment(site: Site) -> Environment:
    return site.environment()


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
    """Neither an unsigned point nor one that lost its dump counts as the newest verified."""
    good, damaged, forged = (_point(environment, day) for day in (0, 1, 2))
    environment.store.delete(environment.keys.artifact(damaged, "database.dump.age"))
    environment.store.delete(environment.keys.signature(forged))
    report = expire(environment, now=START + timedelta(days=4000))
    kept = {str(decision.id): decision.reason for decision in report.kept}
    assert "newest verified" in kept[str(good)]
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

"""Expire deletes media that nobody needs, and nothing else, also when it is cut off or the clock lies."""

from __future__ import annotations

import itertools
import json
import shutil
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from failing_store import FailingStore, Moment
from fix_environment import MakeSite, Site
from holdfast.catalog import write_signed
from holdfast.environment import Environment
from holdfast.errors import StoreError
from holdfast.expire import ExpireReport, add_hold, expire
from holdfast.expire.points import read_points
from holdfast.retention.media import CHECKS_KEPT
from holdfast.storage.local import LocalStore
from holdfast.values.ids import RestorePointId
from media_snapshots import put_draft, put_shard, store_snapshot
from point_factory import store_point

# Stores stamp what they hold with the real time, so the days of these tests lie around it.
TODAY = datetime.now(UTC).replace(microsecond=0)
LATER = TODAY + timedelta(days=3)  # beyond the grace time of everything that a test stores
MEDIA = """    media: {source: "file:///srv/media"}
    tiers:
      media: {keep: 35d}
"""


@pytest.fixture
def site(make_site: MakeSite) -> Site:
    """A site with media, whose database is never asked for."""
    site = make_site("postgresql://nobody@127.0.0.1:1/none")
    site.edit_policy("    tiers:\n", MEDIA)
    return site


@pytest.fixture
def environment(site: Site) -> Environment:
    return site.environment()


def _id(day: int, tier: str = "media") -> RestorePointId:
    return RestorePointId.make(TODAY + timedelta(days=day), tier, f"{tier} {TODAY + timedelta(days=day)}")


def _snapshot(environment: Environment, day: int, *shards: str, tier: str = "media") -> RestorePointId:
    return store_snapshot(environment, _id(day, tier), shards)


def _shards(environment: Environment) -> set[str]:
    return set(environment.media_catalog.shards())


def _deleted(report: ExpireReport) -> tuple[list[str], list[str]]:
    media = report.media
    return [deletion.id for deletion in media.snapshots], [deletion.id for deletion in media.shards]


def test_old_snapshot_goes_with_the_shards_that_only_it_needs(environment: Environment, site: Site) -> None:
    """What a younger one shares with it stays; of the old one nothing is left."""
    old = _snapshot(environment, -50, "a", "b")
    young, newest = _snapshot(environment, -10, "b", "c"), _snapshot(environment, 0, "c")
    report = expire(environment, now=TODAY)
    assert _deleted(report) == ([str(old)], ["a"])
    assert environment.media_catalog.ids() == [young, newest]
    assert _shards(environment) == {"b", "c"}
    assert not [name for name in site.stored_files() if str(old) in name]
    assert report.media.shards_left is None
    assert report.freed_bytes == report.media.freed_bytes > 0


def test_dry_run_says_the_same_and_deletes_nothing(environment: Environment, site: Site) -> None:
    """What a dry run announces is what the run then does, the media of points that go included."""
    for day in (-50, -40, 0):
        store_point(environment.catalog, environment.signer(), _id(day, "nightly").opened_at)
        _snapshot(environment, day, f"n{day}", tier="nightly")
        _snapshot(environment, day + 1, f"m{day}")
    put_shard(environment, "loose")
    environment.store.put(environment.keys.listing(_id(-20)), [b"half"])
    before = site.stored_files()
    announced = expire(environment, now=LATER, dry_run=True)
    assert site.stored_files() == before
    done = expire(environment, now=LATER)
    assert replace(done, is_dry_run=True) == announced
    assert all(deletion.reason for _, deletion in announced.media.deletions())
    assert _deleted(done)[0] == [str(_id(-50, "nightly")), str(_id(-49)), str(_id(-40, "nightly")), str(_id(-39))]
    assert set(_deleted(done)[1]) == {"n-50", "m-50", "n-40", "m-40", "loose"}
    assert [deletion.id for deletion in done.media.remnants] == [str(_id(-20))]


def test_snapshot_of_a_held_point_stays_and_goes_once_it_is_lifted(environment: Environment) -> None:
    """As old as it may be: it goes with its restore point, not before."""
    signer = environment.signer()
    held = store_point(environment.catalog, signer, _id(-400, "nightly").opened_at)
    store_point(environment.catalog, signer, _id(0, "nightly").opened_at)
    _snapshot(environment, -400, "h", tier="nightly")
    _snapshot(environment, 0, "n", tier="nightly")
    add_hold(environment, held, now=TODAY, by="test")
    assert _deleted(expire(environment, now=LATER)) == ([], [])
    environment.store.delete(environment.keys.hold(held))
    assert _deleted(expire(environment, now=LATER)) == ([str(_id(-400, "nightly"))], ["h"])


def test_hold_that_comes_while_expire_runs_saves_the_media_too(
    environment: Environment, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The restore point was to go by the listing; it was not deleted, so its media are not either."""
    signer = environment.signer()
    old = store_point(environment.catalog, signer, _id(-400, "nightly").opened_at)
    store_point(environment.catalog, signer, _id(0, "nightly").opened_at)
    _snapshot(environment, -400, "h", tier="nightly")
    _snapshot(environment, 0, "n")
    real = type(environment.catalog).entries

    def entries_then_hold(self):  # type: ignore[no-untyped-def]
        found = real(self)
        add_hold(environment, old, now=TODAY, by="test")
        return found

    monkeypatch.setattr(type(environment.catalog), "entries", entries_then_hold)
    assert _deleted(expire(environment, now=LATER)) == ([], [])


@pytest.mark.parametrize("year", [1985, 2026, 2090])
def test_newest_paired_and_their_shards_stay_under_any_clock(environment: Environment, year: int) -> None:
    """A clock that jumps decades costs no snapshot that anything needs, nor a shard of one."""
    signer = environment.signer()
    for day in (-60, -1):
        store_point(environment.catalog, signer, _id(day, "monthly").opened_at, "monthly")
        _snapshot(environment, day, f"p{day}", "all", tier="monthly")
    newest = _snapshot(environment, 0, "n", "all")
    expire(environment, now=datetime(year, 6, 1, tzinfo=UTC))
    points = {entry.id for entry in environment.catalog.entries() if entry.is_committed}
    assert points | {newest} <= set(environment.media_catalog.ids())
    assert {"n", "all", "p-1"} <= _shards(environment)


def test_nightly_span_counts_where_the_media_tier_has_none(environment: Environment, site: Site) -> None:
    """Without the tier itself, nothing goes: taking it out of the policy deletes nothing."""
    old, _ = _snapshot(environment, -36, "a"), _snapshot(environment, 0, "b")
    site.edit_policy("      media: {keep: 35d}\n", "")
    assert _deleted(expire(site.environment(), now=TODAY)) == ([], [])
    site.edit_policy("    tiers:\n", '    tiers:\n      media: {schedule: "0 1 * * *"}\n')
    assert _deleted(expire(site.environment(), now=TODAY)) == ([str(old)], ["a"])


def test_unreadable_manifest_stays_and_keeps_every_shard(environment: Environment) -> None:
    """Nobody knows what it names; the report says so."""
    broken, old, _ = _snapshot(environment, -60, "x"), _snapshot(environment, -50, "a"), _snapshot(environment, 0, "b")
    environment.store.delete(environment.keys.media_signature(broken))
    put_shard(environment, "loose")
    report = expire(environment, now=LATER)
    assert _deleted(report) == ([str(old)], [])
    assert str(broken) in (report.media.shards_left or "")
    assert _shards(environment) == {"x", "a", "b", "loose"}
    kept = {str(decision.id): decision.reason for decision in report.media.kept}
    assert "left for a person" in kept[str(broken)]


def test_shards_wait_while_a_sync_is_under_way(environment: Environment) -> None:
    """Snapshots may go; what they needed goes once the sync has ended."""
    old, _ = _snapshot(environment, -50, "a"), _snapshot(environment, -1, "b")
    put_draft(environment, _id(0), ["s"])
    report = expire(environment, now=LATER)
    assert _deleted(report) == ([str(old)], [])
    assert str(_id(0)) in (report.media.shards_left or "")
    _snapshot(environment, 0, "b", "s")
    report = expire(environment, now=LATER)
    assert [(deletion.id, deletion.reason) for deletion in report.media.remnants] == [
        (str(_id(0)), "left by a sync that has committed")
    ]
    assert _deleted(report)[1] == ["a"]
    assert _shards(environment) == {"b", "s"}


def test_dead_sync_goes_after_grace_and_a_later_commit_and_its_shards_in_the_next_run(
    environment: Environment, site: Site
) -> None:
    """Whoever may be alive by any clock had a whole run to be seen."""
    put_draft(environment, _id(-5), ["s"])
    _snapshot(environment, -6, "a")
    assert expire(environment, now=LATER).media.remnants == ()
    _snapshot(environment, -1, "b")
    assert expire(environment, now=TODAY).media.remnants == ()
    report = expire(environment, now=LATER)
    assert [deletion.id for deletion in report.media.remnants] == [str(_id(-5))]
    assert report.media.shards == ()
    assert not [name for name in site.stored_files() if "/drafts/" in name]
    assert _deleted(expire(environment, now=LATER))[1] == ["s"]


def test_loose_shards_wait_for_the_grace_time(environment: Environment) -> None:
    """By the store's clock, whatever their names say."""
    _snapshot(environment, 0, "b")
    put_shard(environment, "20010101T000000Z-0123456789ab")
    assert expire(environment, now=TODAY).media.shards == ()
    assert len(expire(environment, now=LATER).media.shards) == 1


def test_snapshot_without_whole_successor_stays(environment: Environment) -> None:
    """Newer ones that lost a shard do not push out the last that can be restored."""
    good, damaged, newest = (_snapshot(environment, day, f"s{day}") for day in (-60, -50, -40))
    for day in (-50, -40):
        environment.store.delete(environment.keys.shard(f"s{day}"))
    expire(environment, now=LATER)
    assert environment.media_catalog.ids() == [good, newest]
    assert damaged not in environment.media_catalog.ids()


def _paired(environment: Environment, day: int) -> RestorePointId:
    """A restore point with its media snapshot, of one shard ``s<day>``."""
    _snapshot(environment, day, f"s{day}", tier="nightly")
    moment = _id(day, "nightly").opened_at
    return store_point(environment.catalog, environment.signer(), moment, has_media=True)


@pytest.mark.parametrize("loss", ["manifest", "signature", "listing", "shard", "cut shard", "another manifest"])
def test_points_that_lost_their_media_do_not_push_out_the_whole_one(environment: Environment, loss: str) -> None:
    """The newest whole one stays with its media, and so does the newest dump; what lies between goes."""
    old, whole, between, newest = (_paired(environment, day) for day in (-60, -50, -45, -40))
    keys, store = environment.keys, environment.store
    for day, id in ((-45, between), (-40, newest)):
        if loss in ("manifest", "signature", "listing"):
            store.delete(
                {"manifest": keys.media_manifest, "signature": keys.media_signature}.get(loss, keys.listing)(id)
            )
        elif loss == "another manifest":
            for key in (keys.media_manifest(id), keys.media_signature(id), keys.listing(id)):
                store.delete(key)
            store_snapshot(environment, id, [f"s{day}", "more"])
        else:
            store.delete(keys.shard(f"s{day}"))
            if loss == "cut shard":
                store.put(keys.shard(f"s{day}"), [b"short"])
    reasons = {decision.id: decision.reason for decision in expire(environment, now=LATER).kept}
    assert set(reasons) == {whole, newest}
    assert reasons[whole] == "newest restore point of the environment, not restored yet"
    assert "its media are not whole" in reasons[newest]
    assert "s-50" in _shards(environment)
    assert whole in environment.media_catalog.ids() and old not in environment.media_catalog.ids()


def test_without_any_point_whose_media_are_whole_nothing_goes(environment: Environment) -> None:
    """Like where no dump is whole: what is left is all there is."""
    for day in (-60, -50):
        _paired(environment, day)
        environment.store.delete(environment.keys.shard(f"s{day}"))
    assert expire(environment, now=LATER).deleted == ()


def test_media_of_the_newest_points_only_are_looked_at(environment: Environment) -> None:
    """Thousands of old restore points cost no reading of their media, but for expiring the media themselves."""
    for day in (-60, -50, -40):
        _paired(environment, day)
    counting = FailingStore(environment.store)
    found = read_points(replace(environment, store=counting), environment.catalog.entries())
    assert all(point.is_media_whole for point in found)
    looked_at = {key.rpartition("/")[2].partition(".")[0] for _, key in counting.calls if "/media/snapshots/" in key}
    assert looked_at == {str(_id(-40, "nightly"))}
    assert [call for call in counting.calls if call[0] == "list"] == [("list", environment.keys.shards)]


def test_snapshot_of_a_clock_years_ahead_does_not_let_the_real_ones_go(environment: Environment) -> None:
    """Its id and its manifest lie alike; the store's clock says which came last."""
    old, ahead, real = (_snapshot(environment, day, f"s{day}") for day in (-60, 3300, -1))
    expire(environment, now=TODAY + timedelta(days=200))
    assert environment.media_catalog.ids() == [real, ahead]
    assert _shards(environment) == {"s3300", "s-1"}
    assert old not in environment.media_catalog.ids()


@pytest.mark.parametrize(
    "moment", ["0001-01-01T00:00:00+00:00", "0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00"]
)
def test_cli_takes_the_ends_of_time(environment: Environment, site: Site, moment: str) -> None:
    """Whatever else is asked, what is protected stays."""
    _paired(environment, 0)
    put_draft(environment, _id(-5), ["s"])
    found = site.json("expire", str(site.policy_file), "production", "--now", moment)
    assert [item["reason"] for item in found["kept"]] == ["newest restore point of the environment, not restored yet"]


def test_old_check_records_go(environment: Environment, site: Site) -> None:
    """All but the newest, unless they are young."""
    ids = [_id(day) for day in range(-200, -200 + CHECKS_KEPT + 5)]
    for id in ids:
        keys = environment.keys
        write_signed(environment.store, keys.media_check(id), keys.media_check(id, ".sig"), b"{}", environment.signer())
    report = expire(environment, now=TODAY)
    assert [deletion.id for deletion in report.media.checks] == [str(id) for id in ids[:5]]
    assert len([name for name in site.stored_files() if "/checks/" in name]) == 2 * CHECKS_KEPT


def _fill(environment: Environment) -> None:
    """Something of every kind that expire deletes, and of every kind that it must not."""
    signer = environment.signer()
    _snapshot(environment, -40, "m-40", "shared")
    for day in (-50, 0):
        _snapshot(environment, day, f"n{day}", "shared", tier="nightly")
        store_point(environment.catalog, signer, _id(day, "nightly").opened_at, has_media=True)
    put_draft(environment, _id(-20), ["d"])
    environment.store.put(environment.keys.listing(_id(-10)), [b"half"])
    put_shard(environment, "loose")


def _needed(environment: Environment) -> set[str]:
    catalog = environment.media_catalog
    return {shard.id for id in catalog.ids() for shard in catalog.manifest(id, environment.verifier()).shards}


@pytest.fixture
def worlds(site: Site, tmp_path: Path) -> Iterator[Environment]:
    """The same filled store again and again, each a copy of its own."""
    filled = tmp_path / "filled"
    _fill(replace(site.environment(), store=LocalStore(filled)))

    def make() -> Iterator[Environment]:
        for number in itertools.count():
            copy = tmp_path / f"copy-{number}"
            shutil.copytree(filled, copy)
            yield replace(site.environment(), store=LocalStore(copy))

    return make()


def _everything(environment: Environment) -> set[str]:
    # Each try tells the audit trail what it is about to delete.
    keys = (stored.key for stored in environment.store.list(""))
    return {key for key in keys if not key.startswith(environment.keys.audit)}


@pytest.mark.parametrize("moment", ["before", "amid", "after"])
def test_each_storage_call_failing_in_turn(worlds: Iterator[Environment], moment: Moment) -> None:
    """It fails loudly, nothing needed is gone, and runs without failure then come to the same end."""
    reference = next(worlds)
    counting = FailingStore(reference.store)
    expire(replace(reference, store=counting), now=LATER)
    expire(reference, now=LATER)
    end = _everything(reference)
    assert _shards(reference) == _needed(reference) == {"n0", "shared"}
    for number in range(1, len(counting.calls) + 1):
        environment = next(worlds)
        with pytest.raises(StoreError, match="on purpose"):
            expire(
                replace(environment, store=FailingStore(environment.store, fail_at=number, moment=moment)), now=LATER
            )
        assert _needed(environment) <= _shards(environment), counting.calls[number - 1]
        for _ in range(2):
            expire(environment, now=LATER)
        assert _everything(environment) == end, counting.calls[number - 1]


def test_cli_shows_media(environment: Environment, site: Site) -> None:
    """For people each deletion with its reason, for scripts one object."""
    old, newest = _snapshot(environment, -50, "a"), _snapshot(environment, 0, "b")
    command = ["expire", str(site.policy_file), "production", "--dry-run"]
    shown = site.run(*command).stdout.decode()
    assert f"would delete media snapshot {old} " in shown
    assert "older than 35d of tier media" in shown
    assert "would delete shard a (48 B): no media snapshot needs it any more" in shown
    assert f"keeps media snapshot {newest}: newest media snapshot of the environment" in shown
    found = site.json(*command)
    assert found["media"]["kept"] == 1
    assert [item["id"] for item in found["media"]["snapshots_deleted"]] == [str(old)]
    assert [item["id"] for item in found["media"]["shards_deleted"]] == ["a"]
    assert found["bytes_freed"] == found["media"]["bytes_freed"] > 48
    assert json.dumps(found["media"]["shards_left"]) == "null"


@pytest.mark.parametrize(
    ("loss", "fault"),
    [
        ("media_manifest", "its media snapshot is missing"),
        ("media_signature", "the signature of its media snapshot is missing or cut"),
        ("listing", "the listing of its media snapshot is missing"),
    ],
)
def test_list_tells_what_a_listing_shows_of_lost_media(
    environment: Environment, site: Site, loss: str, fault: str
) -> None:
    """Both lists mark the one that is broken, and only it."""
    whole, broken = _paired(environment, -1), _paired(environment, 0)
    environment.store.delete(getattr(environment.keys, loss)(broken))
    found = site.json("list", str(site.policy_file), "production")["restore_points"]
    assert [(point["id"], point["faults"]) for point in found] == [(str(whole), []), (str(broken), [fault])]
    assert f"BROKEN: {fault}" in site.run("list", str(site.policy_file), "production").stdout.decode()
    media = site.json("media", "list", str(site.policy_file), "production")["snapshots"]
    assert [bool(each["faults"]) for each in media] == ([False] if loss == "media_manifest" else [False, True])
    if loss == "listing":
        assert media[1]["faults"] == ["its listing is missing"]


def test_media_list_tells_a_cut_listing(environment: Environment, site: Site) -> None:
    id = _snapshot(environment, 0, "s")
    environment.store.delete(environment.keys.listing(id))
    environment.store.put(environment.keys.listing(id), [b"cut"])
    (found,) = site.json("media", "list", str(site.policy_file), "production")["snapshots"]
    assert found["faults"] == ["its listing has 3 bytes instead of 48"]

"""What the watch reads of media snapshots, base backups, and the checks that read stored bytes back."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from fix_environment import MakeSite, Site
from holdfast.catalog.wal_checks import WalCheckCatalog
from holdfast.environment import Environment
from holdfast.manifest.wal import WalCheck
from holdfast.media.records import MediaCheck, ShardLook
from holdfast.values.ids import RestorePointId
from holdfast.verify.media import check_media
from holdfast.watch.facts import EnvironmentFacts
from holdfast.watch.reading import read_facts
from media_factory import Builder
from point_factory import store_point
from wal_factory import SYSTEM, WalFactory

NOW = datetime.now(UTC).replace(microsecond=0)
DAY = timedelta(days=1)


@pytest.fixture
def site(make_site: MakeSite) -> Site:
    """A site with media and WAL, as far as its policy goes."""
    site = make_site("postgresql:///none")
    site.edit_policy(
        "conn_id: shop_db}", "conn_id: shop_db, pitr: streaming}\n    media: {source: 'file:///srv/media'}"
    )
    return site


def snapshot(environment: Environment, opened_at: datetime = NOW - DAY, *, tier: str = "media") -> RestorePointId:
    """A real media snapshot of two files in two shards."""
    builder = Builder(environment)
    builder.file(b"a", b"first" * 50)
    builder.next_shard()
    builder.file(b"b", b"second" * 50)
    return builder.commit(opened_at, tier)


def shards(site: Site) -> list[Path]:
    return sorted((site.store_folder / "shop/production/media/shards").iterdir())


def faults(facts: EnvironmentFacts) -> list[tuple[str, str]]:
    return [(each.id, each.kind) for each in facts.faulty]


def test_media_snapshots(site: Site) -> None:
    """Those of the tier of their own are points; one of a restore point is part of it."""
    environment = site.environment()
    own = snapshot(environment)
    paired = RestorePointId.make(NOW - 2 * DAY, "nightly", f"nightly {NOW - 2 * DAY}")
    builder = Builder(environment)
    builder.file(b"a", b"first" * 50)
    made = builder.commit(paired.opened_at, "nightly")
    assert made.tier == "nightly"
    environment.store.put(environment.keys.media_draft(RestorePointId.make(NOW, "media", "dead"), "open.json"), [b"{}"])
    facts = read_facts(environment, NOW)
    assert [(each.id, each.tier) for each in facts.points] == [(str(own), "media")]
    assert facts.counts == {"media": 1}
    assert [(each.tier, each.opened_at) for each in facts.unfinished] == [("media", NOW)]
    assert (facts.faulty, facts.troubles) == ((), ())
    assert facts.since == own.opened_at


def test_lost_shards(site: Site) -> None:
    """Of the newest snapshot: named at the first look, within an hour where the snapshot is known."""
    environment = site.environment()
    id = snapshot(environment)
    known = read_facts(environment, NOW)
    assert known.faulty == ()
    shards(site)[0].unlink()
    soon = read_facts(environment, NOW + timedelta(minutes=30), known)
    assert faults(soon) == []
    hour = read_facts(environment, NOW + timedelta(minutes=61), known)
    assert faults(hour) == [(str(id), "artifact_missing")]
    assert "is missing" in hour.faulty[0].text
    assert faults(read_facts(environment, NOW + timedelta(minutes=70), hour)) == faults(hour)
    assert faults(read_facts(environment, NOW)) == faults(hour)


def test_a_lost_listing_and_a_forged_manifest(site: Site) -> None:
    """The newest snapshot's own objects show at every look."""
    environment = site.environment()
    old, new = snapshot(environment, NOW - 2 * DAY), snapshot(environment)
    known = read_facts(environment, NOW)
    environment.store.delete(environment.keys.listing(new))
    assert faults(read_facts(environment, NOW, known)) == [(str(new), "artifact_missing")]
    environment.store.delete(environment.keys.media_signature(new))
    facts = read_facts(environment, NOW, known)
    assert faults(facts) == [(str(new), "signature_mismatch")]
    assert [each.id for each in facts.points] == [str(old)]


def test_a_restore_point_without_its_media(site: Site) -> None:
    """Its media snapshot belongs to it: without, it is not whole."""
    environment = site.environment()
    at = NOW - DAY
    expected = RestorePointId.make(at, "nightly", f"nightly {at}")
    builder = Builder(environment)
    builder.file(b"a", b"first" * 50)
    made = builder.commit(at, "nightly")
    for kind in ("media_manifest", "media_signature", "listing"):
        content = environment.store.get(getattr(environment.keys, kind)(made))
        environment.store.put(getattr(environment.keys, kind)(expected), [content])
    id = store_point(environment.catalog, environment.signer(), at, has_media=True, recipients=environment.recipients())
    assert id == expected
    environment.store.delete(environment.keys.media_manifest(made))
    # The copied manifest names another snapshot: it is there, but not this one's.
    assert faults(read_facts(environment, NOW)) == [(str(id), "signature_mismatch")]
    environment.store.delete(environment.keys.listing(id))
    assert (str(id), "artifact_missing") in faults(read_facts(environment, NOW))


def test_media_checks(site: Site) -> None:
    """The newest check with the damage that stands, and how long ago the shard longest unread was read or stored."""
    environment = site.environment()
    snapshot(environment)
    check_media(environment, fraction=0.5, now=NOW - timedelta(hours=2))
    facts = read_facts(environment, NOW)
    (found,) = facts.checked
    assert (found.kind, found.faults) == ("media_check", ())
    # The factory names its shards by that day; the other one was read by the check.
    assert found.oldest_unread_at == datetime(2026, 11, 22, 2, tzinfo=UTC)
    assert abs(found.checked_at - datetime.now(UTC)) < timedelta(minutes=5)
    damaged = shards(site)[0]
    content = bytearray(damaged.read_bytes())
    content[-1] ^= 1
    damaged.write_bytes(content)
    check_media(environment, now=NOW - timedelta(hours=1))
    known = read_facts(environment, NOW, facts)
    (found,) = known.checked
    assert found.faults == (f"shard {damaged.name.removesuffix('.tar.age')} is damaged",)
    assert read_facts(environment, NOW, known).checked == known.checked


def test_a_forged_media_check_is_none(site: Site) -> None:
    """Who can only write to the store cannot say that all is sound."""
    environment = site.environment()
    snapshot(environment)
    id = RestorePointId.make(NOW, "media_check", "forged")
    check = MediaCheck(
        id=str(id),
        app="shop",
        environment="production",
        started_at=NOW,
        finished_at=NOW,
        fraction=1.0,
        shards=(ShardLook(id="x", ok=True),),
        damaged=(),
    )
    environment.store.put(environment.keys.media_check(id), [check.encode()])
    facts = read_facts(environment, NOW)
    assert facts.checked == ()
    assert any("signature" in note for note in facts.notes)


def test_base_backups_and_wal_checks(site: Site) -> None:
    """They are points of a tier of their own; the newest check of WAL tells what it found."""
    environment = site.environment()
    factory = WalFactory(environment)
    full = factory.base(factory.at(1), factory.at(2))
    rest = factory.base(factory.at(3), factory.at(4), chain=[full])
    id = RestorePointId.make(NOW - DAY, "wal_check", "check")
    check = WalCheck(
        id=str(id),
        app="shop",
        environment="production",
        system_identifier=SYSTEM,
        checked_at=NOW - DAY,
        ranges=(),
        faults=("shop/production/wal/x",),
    )
    WalCheckCatalog(environment.store, environment.keys).write(check, environment.signer())
    facts = read_facts(environment, NOW)
    assert [(each.id, each.tier, each.label, each.seconds) for each in facts.points] == [
        (full, "base_backup", "full", 10.0),
        (rest, "base_backup", "incremental", 10.0),
    ]
    assert facts.counts == {"base_backup": 2}
    assert [(each.kind, each.checked_at, each.faults) for each in facts.checked] == [
        ("wal_check", NOW - DAY, ("shop/production/wal/x",))
    ]
    assert faults(facts) == []
    environment.store.delete(environment.keys.base_backup(RestorePointId.parse(rest), "base.tar.zst.age"))
    assert faults(read_facts(environment, NOW, facts)) == [(rest, "artifact_missing")]

"""Stored media read back: damage is found, named by file and snapshot, recorded, and mended by the next sync."""

from __future__ import annotations

import os
import shutil
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from fix_environment import Site
from fix_media import write_sample
from holdfast.backup import sync_media
from holdfast.crypto import age
from holdfast.crypto.keyfiles import new_keys
from holdfast.environment import Environment
from holdfast.media.damage import damaged_contents
from holdfast.values.ids import RestorePointId
from holdfast.verify import MediaCheckReport, check_media
from media_factory import Builder

NOW = datetime(2026, 11, 22, 5, tzinfo=UTC)


def sync(environment: Environment, origin: str = "run") -> RestorePointId:
    facts = sync_media(environment, tier="media", opened_at=environment.clock(), origin=origin)
    return RestorePointId.parse(facts.snapshot)


def check(site: Site, fraction: float = 1.0) -> MediaCheckReport:
    return check_media(site.environment(), fraction=fraction, now=NOW)


def shards(site: Site) -> list[Path]:
    return sorted((site.store_folder / "shop/production/media/shards").iterdir())


def flip(path: Path, at: int) -> None:
    """Change one byte of a file."""
    with path.open("r+b") as file:
        file.seek(at)
        byte = file.read(1)
        file.seek(at)
        file.write(bytes([byte[0] ^ 1]))


def test_intact_media_are_found_intact(any_media_site: Site) -> None:
    """Every shard is read and every content compared, once for all snapshots; the result is stored, signed."""
    write_sample(any_media_site.folder / "media")
    environment = any_media_site.environment()
    sync(environment)
    (any_media_site.folder / "media/new").write_bytes(b"new")
    sync(environment, "second")
    report = check(any_media_site)
    assert report.ok
    assert report.shards_checked == report.shards == len(environment.media_catalog.shards())
    assert report.files_checked == 47
    (record,) = environment.media_catalog.checks(environment.verifier(), NOW + timedelta(days=1))
    assert record.id == report.record
    assert all(look.ok for look in record.shards)
    assert record.damaged == ()


def other_identity(site: Site) -> None:
    """Put another identity in the place of the site's own."""
    new_keys(site.folder / "other")
    shutil.copy2(site.folder / "other/identity.txt", site.keys)


def three_files(environment: Environment) -> tuple[Builder, RestorePointId]:
    """A snapshot of three files of 200,000 bytes in one shard, and another of the same and one more."""
    builder = Builder(environment)
    for name in (b"a", b"b", b"c"):
        builder.file(name, os.urandom(200_000))
    first = builder.commit(datetime(2026, 11, 1, tzinfo=UTC))
    return builder, first


def test_flipped_byte_names_its_file_and_snapshots_alone(media_site: Site) -> None:
    """Other files of the shard are sound all the same."""
    environment = media_site.environment()
    builder, first = three_files(environment)
    (one,) = shards(media_site)
    flip(one, 300_000)
    report = check(media_site)
    assert not report.ok
    (file,) = report.damaged
    assert (file.path, file.snapshots) == (b"b", (str(first),))
    assert file.shard == builder.shards[0].id
    damage = damaged_contents(environment.media_catalog.checks(environment.verifier(), NOW + timedelta(days=1)))
    assert damage.covers(file.shard, builder.contents_of(b"b"))
    assert not damage.covers(file.shard, builder.contents_of(b"a"))


DAMAGE = {
    "cut": lambda path: os.truncate(path, path.stat().st_size - 250_000),
    "emptied": lambda path: os.truncate(path, 0),
    "deleted": lambda path: path.unlink(),
    "header": lambda path: flip(path, 60),
    "appended": lambda path: path.write_bytes(path.read_bytes() + b"more"),
    "linked": lambda path: (path.rename(path.with_name("elsewhere")), path.symlink_to("elsewhere")),
}
HIT = {"cut": {b"b", b"c"}}


@pytest.mark.parametrize("kind", DAMAGE)
def test_damaged_shard_names_its_files(media_site: Site, kind: str) -> None:
    """Cut, emptied, deleted, replaced: every file that is lost with it is named, and only the cut spares some."""
    environment = media_site.environment()
    _, id = three_files(environment)
    (shard,) = shards(media_site)
    DAMAGE[kind](shard)
    report = check(media_site)
    assert {file.path for file in report.damaged} == HIT.get(kind, {b"a", b"b", b"c"})
    assert {file.snapshots for file in report.damaged} == {(str(id),)}
    assert report.damaged_shards == (shard.name.removesuffix(".tar.age"),)
    assert damaged_contents(environment.media_catalog.checks(environment.verifier(), NOW + timedelta(days=1)))


def test_replaced_by_who_knows_the_recipient_is_found(media_site: Site) -> None:
    """Anybody can encrypt to a public key: the hash in the signed listing tells whose bytes they are."""
    environment = media_site.environment()
    three_files(environment)
    (shard,) = shards(media_site)
    plain = b"".join(age.decrypt([shard.read_bytes()], environment.demand_identities()))
    forged = plain.replace(plain[300_000:300_010], b"0123456789")
    shard.write_bytes(b"".join(age.encrypt([forged], environment.recipients())))
    assert [file.path for file in check(media_site).damaged] == [b"b"]


@pytest.mark.parametrize("what", ["listing", "manifest", "signature"])
def test_broken_snapshot_is_named(media_site: Site, what: str) -> None:
    """A flipped byte in what a snapshot consists of is a fault of that snapshot; the others are checked."""
    environment = media_site.environment()
    _, broken = three_files(environment)
    other = Builder(environment)
    other.file(b"other", b"other")
    other.commit(datetime(2026, 11, 2, tzinfo=UTC))
    keys = environment.keys
    key = {"listing": keys.listing, "manifest": keys.media_manifest, "signature": keys.media_signature}[what](broken)
    path = media_site.store_folder / key
    flip(path, path.stat().st_size // 2)
    report = check(media_site)
    assert not report.ok
    assert len(report.faults) == 1
    assert str(broken) in report.faults[0]
    assert report.files_checked == 1


def test_locked_shards_are_packed_again(media_site: Site) -> None:
    """What no present recipient opens is lost as if it were damaged: files and snapshots are named, and recorded."""
    environment = media_site.environment()
    builder, id = three_files(environment)
    other_identity(media_site)
    shutil.copy2(media_site.folder / "other/recipient.txt", media_site.keys)
    report = check(media_site)
    assert not report.ok
    assert "not decryptable" in report.faults[0]
    assert {file.path for file in report.damaged} == {b"a", b"b", b"c"}
    assert {file.snapshots for file in report.damaged} == {(str(id),)}
    assert all("not decryptable" in file.reason for file in report.damaged)
    checks = environment.media_catalog.checks(environment.verifier(), NOW + timedelta(days=1))
    assert [look.ok for look in checks[-1].shards] == [False]
    assert damaged_contents(checks).covers(builder.shards[0].id, builder.contents_of(b"a"))


def test_wrong_identity_on_the_checking_host_has_nothing_packed_again(media_site: Site) -> None:
    """It is told, and fails the check; but the shards are as sound as they were."""
    environment = media_site.environment()
    three_files(environment)
    other_identity(media_site)
    report = check(media_site)
    assert not report.ok
    assert "not decryptable" in report.faults[0]
    assert any("identity_file opens nothing" in note for note in report.notes)
    assert not damaged_contents(environment.media_catalog.checks(environment.verifier(), NOW + timedelta(days=1)))


def test_smallest_fraction_reads_a_shard(media_site: Site) -> None:
    """However small the share is, none would be no check."""
    three_files(media_site.environment())
    assert check(media_site, 1e-320).shards_checked == 1


def test_without_identity_hashes_are_compared(media_site: Site) -> None:
    """A host that only takes backups still finds damage, by the hash of the encrypted shard, and says what it did."""
    environment = media_site.environment()
    three_files(environment)
    media_site.edit_policy(f"      identity_file: {media_site.keys}/identity.txt\n", "")
    report = check(media_site)
    assert report.ok
    assert not report.decrypted
    flip(shards(media_site)[0], 300_000)
    report = check(media_site)
    assert {file.path for file in report.damaged} == {b"a", b"b", b"c"}


def test_without_signing_key_nothing_is_recorded(media_site: Site) -> None:
    """The result is shown, and that it was not stored."""
    three_files(media_site.environment())
    media_site.edit_policy(f"      signing_key_file: {media_site.keys}/signing.pem\n", "")
    report = check(media_site)
    assert report.ok
    assert report.record is None
    assert "not stored" in report.notes[0]


@pytest.mark.parametrize(("fraction", "runs"), [(0.25, 4), (0.3, 4), (0.01, 100), (1.0, 1)])
def test_fractions_come_round(media_site: Site, fraction: float, runs: int) -> None:
    """After ceil(1 / fraction) runs every shard was read; the longest unread come first."""
    environment = media_site.environment()
    builder = Builder(environment)
    for number in range(7):
        builder.file(b"%d" % number, b"%d" % number)
        builder.next_shard()
    builder.commit()
    seen: set[str] = set()
    every = {shard.id for shard in builder.shards}
    for _ in range(min(runs, len(every))):
        report = check(media_site, fraction)
        record = environment.media_catalog.checks(environment.verifier(), NOW + timedelta(days=1))[-1]
        looked = {look.id for look in record.shards}
        assert len(looked) == report.shards_checked >= 1
        assert seen | looked == every or not looked & seen
        seen |= looked
    assert seen == every


def test_next_sync_packs_damaged_files_again(media_site: Site) -> None:
    """Sync, damage, check, sync: the new snapshot is whole, though the source has not changed."""
    media = media_site.folder / "media"
    for name in "abc":
        (media / name).write_bytes(os.urandom(200_000))
    environment = media_site.environment()
    sync(environment)
    flip(shards(media_site)[0], 100_000)
    assert not check(media_site).ok
    second = sync_media(environment, tier="media", opened_at=environment.clock(), origin="second")
    assert second.new_files >= 1
    from holdfast.restore import restore_media

    report = restore_media(environment, RestorePointId.parse(second.snapshot), media_site.folder / "to")
    assert report.faults == ()


def test_expired_meanwhile_is_no_damage(media_site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """A snapshot that expire removes while the check runs, and its shards, are not missed."""
    from holdfast.verify import media as module

    environment = media_site.environment()
    _, id = three_files(environment)
    kept = Builder(environment)
    kept.file(b"kept", b"kept")
    kept.commit(datetime(2026, 11, 2, tzinfo=UTC))
    learn = module._Check._learn

    def learn_then_expire(*arguments: object) -> None:
        learn(*arguments)  # type: ignore[arg-type]
        manifest = environment.media_catalog.manifest(id, environment.verifier())
        environment.store.delete(environment.keys.media_manifest(id))
        for use in manifest.shards:
            environment.store.delete(environment.keys.shard(use.id))

    monkeypatch.setattr(module._Check, "_learn", learn_then_expire)
    assert check(media_site).ok


def test_check_of_a_clock_that_was_ahead_hides_no_damage(media_site: Site) -> None:
    """What it called sound would be sound for years: its record counts for nothing once the clock is right."""
    environment = media_site.environment()
    three_files(environment)
    ahead = datetime(2035, 1, 1, tzinfo=UTC)
    check_media(replace(environment, clock=lambda: ahead), now=ahead)
    (shard,) = shards(media_site)
    flip(shard, shard.stat().st_size // 2)
    check(media_site)
    now = datetime.now(UTC)
    assert damaged_contents(environment.media_catalog.checks(environment.verifier(), now))
    assert len(environment.media_catalog.checks(environment.verifier(), now)) == 1

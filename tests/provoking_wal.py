"""WAL that is late, missing, damaged or piles up, and media that rot or are not looked at."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

from holdfast.catalog import WalPiece, write_signed
from holdfast.catalog.wal_checks import WalCheckCatalog
from holdfast.catalog.wal_status import WalStatusCatalog, status_name
from holdfast.manifest.wal import WalStatus
from holdfast.media.records import MediaCheck, ShardLook
from holdfast.values.ids import RestorePointId
from holdfast.values.wal_names import WalSegment
from holdfast.verify.media import check_media
from holdfast.verify.wal import check_wal
from media_factory import Builder
from provoking_site import Expected, Provoked, Scenario, Steps
from wal_factory import SYSTEM, WalFactory, minute

CHECKED = datetime(2026, 11, 21, 5, 0, tzinfo=UTC)
DAY = timedelta(days=1)


def wal_lag(site: Provoked) -> Steps:
    """The streamer dies: its last word grows old."""
    _streamed(site)
    yield None
    site.each_time = lambda: None
    last = site.now - timedelta(minutes=1)
    yield Expected(
        f"WAL is stored up to {last:%a} {last.day} {last:%b %Y %H:%M} UTC",
        "`holdfast wal stream POLICY production`",
        since=last,
        due_at=last + timedelta(minutes=15),
    )
    site.each_time = lambda: _tell(site)
    yield None


def slot_retention(site: Provoked) -> Steps:
    """The streamer says that the slot holds more and more back."""
    _streamed(site)
    yield None
    site.each_time = lambda: _tell(site, retained_bytes=20 << 30)
    yield Expected(
        "the replication slot holds 20.0 GiB of WAL back on the source",
        "`holdfast wal stream POLICY production`",
        since=site.now + timedelta(minutes=14),
    )
    site.each_time = lambda: _tell(site)
    yield None


def wal_gap(site: Provoked) -> Steps:
    """Somebody deletes a segment."""
    factory = _streamed(site)
    segment = _segment(site, factory, 9)
    yield None
    aside = segment.rename(site.site.folder / "aside")
    yield Expected(
        f"WAL {WalSegment(1, 9, factory.size).name} of timeline 1 is missing in the store",
        "`holdfast base-backup POLICY production`",
        since=minute(8.5),
    )
    aside.rename(segment)
    yield None


def wal_damaged(site: Provoked) -> Steps:
    """A byte of a segment has flipped, and the check reads it."""
    factory = _streamed(site)
    segment = _segment(site, factory, 9)
    content = segment.read_bytes()
    yield None
    segment.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    assert check_wal(site.environment(), everything=True).faults
    environment = site.environment()
    found = WalCheckCatalog(environment.store, environment.keys).newest(SYSTEM, environment.verifier())
    assert found is not None
    yield Expected(
        segment.name,
        "`holdfast wal check POLICY production --all`",
        since=found.check.checked_at,
        besides=frozenset({"wal_gap"}),
    )
    segment.write_bytes(content)
    assert not check_wal(site.environment(), everything=True).faults
    yield None


def _streamed(site: Provoked) -> WalFactory:
    """A quarter of an hour of WAL from a base backup on, and a streamer that says each minute that all is well."""
    site.arrange("wal: {schedule: continuous, keep: 7d}", database=", pitr: streaming")
    site.now = minute(15)
    factory = WalFactory(site.environment())
    factory.base(factory.at(1), factory.at(2))
    factory.segments(1, 14)
    site.each_time = lambda: _tell(site)
    return factory


def _tell(site: Provoked, retained_bytes: int = 1 << 20) -> None:
    """The streamer's last word, of a minute ago."""
    environment, at = site.environment(), site.now - timedelta(minutes=1)
    lsn = str(WalFactory(environment).at(15))
    status = WalStatus(
        name=status_name(at, "abcdef"),
        app="shop",
        environment="production",
        system_identifier=SYSTEM,
        host="db1",
        at=at,
        timeline=1,
        stored_lsn=lsn,
        source_lsn=lsn,
        behind_bytes=0,
        caught_up_at=at,
        retained_bytes=retained_bytes,
        safe_wal_bytes=None,
        wal_status="reserved",
    )
    WalStatusCatalog(environment.store, environment.keys).write(status, environment.signer())
    site.received(environment.keys.wal_status(SYSTEM, status.name), at)


def _segment(site: Provoked, factory: WalFactory, number: int) -> Path:
    piece = WalPiece.segment(SYSTEM, WalSegment(1, number, factory.size).name)
    return site.site.store_folder / site.environment().wal_catalog.key(piece)


def media_damaged(site: Provoked) -> Steps:
    """A byte of a shard has flipped, and the check reads it."""
    site.now = datetime.now(UTC).replace(microsecond=0)
    (shard, *_) = _with_media(site, "media: {keep: 35d}", site.now - DAY)
    content = shard.read_bytes()
    check_media(site.environment(), now=site.now)
    yield None
    shard.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    check_media(site.environment(), now=site.now)
    environment = site.environment()
    newest = max(environment.media_catalog.check_ids())
    yield Expected(
        f"shard {shard.name.removesuffix('.tar.age')} is damaged",
        "`holdfast media sync POLICY production --force`",
        since=environment.media_catalog.check(newest, environment.verifier()).finished_at,
    )
    shard.write_bytes(content)
    check_media(site.environment(), now=site.now + timedelta(minutes=1))
    yield None


def media_check_overdue(site: Provoked) -> Steps:
    """A week's check that nobody makes."""
    shards = _with_media(site, 'media: {keep: 35d}, media_check: {schedule: "0 5 * * 6"}', CHECKED - DAY)
    _checked(site, shards, CHECKED)
    site.come_to(CHECKED + 8 * DAY)
    yield None
    yield Expected(
        "media were not checked at Sat 28 Nov 2026 05:00 UTC; the last one was Sat 21 Nov 2026 05:00 UTC",
        "`holdfast media check POLICY production`",
        since=CHECKED + 7 * DAY,
        due_at=CHECKED + 8 * DAY,
    )
    _checked(site, shards, site.now)
    yield None


def _with_media(site: Provoked, tiers: str, at: datetime) -> list[Path]:
    """A media snapshot of two shards."""
    site.arrange(tiers, "media: {source: 'file:///srv/media'}")
    builder = Builder(site.environment())
    builder.file(b"a", b"first" * 50)
    builder.next_shard()
    builder.file(b"b", b"second" * 50)
    site.received(site.environment().keys.media_manifest(builder.commit(at)), at)
    return sorted((site.site.store_folder / "shop/production/media/shards").iterdir())


def _checked(site: Provoked, shards: list[Path], at: datetime) -> None:
    """The record of a check that has read all shards."""
    environment, id = site.environment(), RestorePointId.make(at, "media_check", f"check {at}")
    check = MediaCheck(
        id=str(id),
        app="shop",
        environment="production",
        started_at=at,
        finished_at=at,
        fraction=1.0,
        shards=tuple(ShardLook(id=shard.name.removesuffix(".tar.age"), ok=True) for shard in shards),
        damaged=(),
    )
    keys = environment.keys
    write_signed(
        environment.store, keys.media_check(id), keys.media_check(id, ".sig"), check.encode(), environment.signer()
    )


SCENARIOS = tuple(
    Scenario(play.__name__, play)
    for play in (wal_lag, slot_retention, wal_gap, wal_damaged, media_damaged, media_check_overdue)
)

"""How much the store holds of an environment, day by day, and what is free."""

from __future__ import annotations

import shutil
from datetime import UTC, datetime, timedelta

import pytest

from fix_environment import MakeSite, Site
from holdfast.environment import Environment
from holdfast.watch.facts import PointFacts, SpaceSample
from holdfast.watch.reading.space import SAMPLES, free_bytes, read_space
from media_factory import Builder
from wal_factory import WalFactory

NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
NOBODY = "postgresql://nobody@127.0.0.1:1/none"


def point(tier: str, size: int, day: int = 1) -> PointFacts:
    """A committed point of that size."""
    moment = datetime(2026, 11, day, tzinfo=UTC)
    return PointFacts(id=f"{day}-{tier}", tier=tier, opened_at=moment, committed_at=moment, seconds=1.0, bytes=size)


@pytest.fixture
def site(make_site: MakeSite) -> Site:
    return make_site(NOBODY)


@pytest.fixture
def environment(site: Site) -> Environment:
    return site.environment()


def test_what_is_held_is_estimated_by_counts_and_recent_sizes(environment: Environment) -> None:
    """Each tier by its own; a tier without any point holds nothing."""
    points = [point("nightly", 100, 1), point("nightly", 200, 2), point("monthly", 1000)]
    (sample,) = read_space(environment, points, {"nightly": 30, "monthly": 2, "snapshot": 0}, NOW, ())
    assert (sample.at, sample.held_bytes) == (NOW, 30 * 150 + 2 * 1000)


def test_media_counts_as_the_newest_snapshot_wants_it(site: Site) -> None:
    """Snapshots share shards, so that what each has added tells little."""
    site.edit_policy("    store:", "    media: {source: 'file:///srv/media'}\n    store:")
    environment = site.environment()
    builder = Builder(environment)
    builder.next_shard()
    builder.file(b"a", b"content" * 100)
    builder.commit(NOW - timedelta(days=1))
    stored = sum(path.stat().st_size for path in site.store_folder.rglob("*.tar.age"))
    points = [point("nightly", 100), point("media", 5)]
    (sample,) = read_space(environment, points, {"nightly": 2, "media": 40}, NOW, ())
    assert sample.held_bytes == stored + 200


def test_wal_counts_as_it_is_listed(site: Site) -> None:
    """With base backups by their tier."""
    site.edit_policy("{conn_id: shop_db}", "{conn_id: shop_db, pitr: streaming}")
    environment = site.environment()
    WalFactory(environment).segments(2, 5)
    stored = sum(path.stat().st_size for path in site.store_folder.rglob("*.zst.age"))
    (sample,) = read_space(environment, [point("base_backup", 7)], {"base_backup": 2}, NOW, ())
    assert sample.held_bytes == stored + 14


def test_a_sample_a_day_and_what_is_free_each_time(environment: Environment) -> None:
    """Within a day the newest sample is renewed; the oldest days go."""
    environment.store.put("a/b", [b"x"])
    known = tuple(
        SpaceSample(at=NOW - timedelta(days=days), held_bytes=days, free_bytes=None) for days in range(SAMPLES, 0, -1)
    )
    samples = read_space(environment, [point("nightly", 100)], {"nightly": 1}, NOW, known)
    assert len(samples) == SAMPLES and samples[:-1] == known[1:]
    assert samples[-1].held_bytes == 100 and samples[-1].free_bytes is not None
    again = read_space(environment, [point("nightly", 100)], {"nightly": 2}, NOW + timedelta(hours=1), samples)
    assert again[:-1] == samples[:-1]
    assert (again[-1].at, again[-1].held_bytes) == (NOW + timedelta(hours=1), 200)


def test_what_takes_requests_is_estimated_once_a_day(site: Site) -> None:
    """WAL has to be listed for it; what is free is looked at all the same."""
    site.edit_policy("{conn_id: shop_db}", "{conn_id: shop_db, pitr: streaming}")
    environment = site.environment()
    known = (SpaceSample(at=NOW, held_bytes=7, free_bytes=None),)
    (sample,) = read_space(environment, [point("nightly", 100)], {"nightly": 2}, NOW + timedelta(hours=1), known)
    assert (sample.at, sample.held_bytes) == (NOW + timedelta(hours=1), 7)
    assert sample.free_bytes is not None
    (next_day,) = read_space(environment, [point("nightly", 100)], {"nightly": 2}, NOW + timedelta(days=1), known)[1:]
    assert next_day.held_bytes == 200


def test_free_bytes_are_those_of_the_stores_disk(environment: Environment, site: Site) -> None:
    """Of a folder that is still to be made, those of where it will be; a bucket has no end."""
    free = free_bytes(environment.store.url)
    assert not site.store_folder.exists() and free is not None
    assert abs(free - shutil.disk_usage(site.folder).free) < 1 << 30
    assert free_bytes("s3://bucket/prefix") is None

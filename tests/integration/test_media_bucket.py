"""Media snapshots of a bucket: taken, taken again after changes, and their bytes read back from the store."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from fix_bucket import RawBucket
from fix_environment import MakeSite, Site
from holdfast.backup import sync_media
from holdfast.restore import restore_media
from holdfast.values.ids import RestorePointId
from holdfast_embedded.seaweedfs import SeaweedFS

START = datetime(2026, 11, 22, 14, tzinfo=UTC)


@pytest.fixture(params=["versioned", "plain"])
def bucket(request: pytest.FixtureRequest, raw_bucket: RawBucket) -> RawBucket:
    """The application's, of each kind."""
    if request.param == "versioned":
        raw_bucket.keep_versions()
    return raw_bucket


@pytest.fixture
def site(make_site: MakeSite, seaweed: SeaweedFS, bucket: RawBucket) -> Site:
    """A site whose media lie in the bucket."""
    site = make_site("postgresql://nobody@127.0.0.1:1/none")
    site.variables["AIRFLOW_CONN_SHOP_MEDIA"] = seaweed.connection_json()
    site.edit_policy("    keys:\n", f'    media: {{source: "s3://{bucket.name}/up", conn_id: shop_media}}\n    keys:\n')
    site.edit_policy("    tiers:\n", "    tiers:\n      media: {schedule: '0 14 * * *', keep: 35d}\n")
    return site


def _sync(site: Site, hours: int) -> dict[str, object]:
    return sync_media(
        site.environment(), tier="media", opened_at=START + timedelta(hours=hours), origin="test"
    ).as_json()


def _restored(site: Site, facts: dict[str, object], to: Path) -> dict[str, bytes]:
    restore_media(site.environment(), RestorePointId.parse(str(facts["snapshot"])), to)
    return {str(path.relative_to(to)): path.read_bytes() for path in to.rglob("*") if path.is_file()}


def test_only_what_changed_is_read_again(site: Site, bucket: RawBucket) -> None:
    """By version or ETag, not by fetching: a second sync finds nothing new, a third what was put since."""
    for number in range(30):
        bucket.put_object(Key=f"up/{number % 3}/{number}.jpg", Body=bytes([number]) * 5000)
    bucket.put_object(Key="up/large", Body=b"large" * 2_000_000)
    first = _sync(site, 0)
    assert (first["files"], first["new_files"], first["vanished"], first["unstable"]) == (31, 31, 0, 0)
    again = _sync(site, 1)
    assert (again["files"], again["new_files"]) == (31, 0)
    bucket.put_object(Key="up/0/0.jpg", Body=b"changed")
    bucket.delete_object(Key="up/1/1.jpg")
    third = _sync(site, 2)
    assert (third["files"], third["new_files"]) == (30, 1)
    expected = {f"{number % 3}/{number}.jpg": bytes([number]) * 5000 for number in range(30)}
    expected["large"] = b"large" * 2_000_000
    assert _restored(site, again, site.folder / "again") == expected
    expected["0/0.jpg"] = b"changed"
    del expected["1/1.jpg"]
    assert _restored(site, third, site.folder / "third") == expected

"""A media sync to an S3 store that loses connections: it fails aloud or rides it out, and the next sync converges."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from fix_environment import Site
from fix_media import tree_of
from holdfast.backup.media.sync import take_snapshot
from holdfast.environment import Environment
from holdfast.errors import StoreError
from holdfast.media.packing import ShardSizes
from holdfast.progress import Silent
from holdfast.restore import restore_media
from holdfast.storage.opening import open_store
from holdfast.values.ids import RestorePointId
from holdfast_embedded.seaweedfs import SeaweedFS
from tcp_proxy import TcpProxy

SIZES = ShardSizes(least=9 << 20, target=10 << 20, most=20 << 20)


@pytest.fixture
def proxy(seaweed: SeaweedFS) -> Iterator[TcpProxy]:
    with TcpProxy(seaweed.port) as proxy:
        yield proxy


@pytest.fixture
def proxied(s3_media_site: Site, seaweed: SeaweedFS, proxy: TcpProxy) -> Environment:
    """The site's environment, its store by way of the proxy."""
    environment = s3_media_site.environment()
    extra = {"endpoint_url": f"http://127.0.0.1:{proxy.port}", "region_name": "us-east-1"}
    store = open_store(environment.store.url, replace(seaweed.connection("faulty"), extra=extra))
    return replace(environment, store=store)


def snapshot(environment: Environment, hour: int) -> RestorePointId:
    id = RestorePointId.make(datetime(2026, 11, 22, tzinfo=UTC) + timedelta(hours=hour), "media", "run")
    take_snapshot(environment, id, force=False, progress=Silent(), sizes=SIZES)
    return id


def fill(media: Path) -> None:
    for number in range(6):
        (media / f"{number}.bin").write_bytes(os.urandom(6 << 20))


def test_store_that_goes_away_amid_a_shard(
    s3_media_site: Site, proxied: Environment, proxy: TcpProxy, tmp_path: Path
) -> None:
    """The sync ends within bounds, naming the store; no snapshot appears; once it is back the next one is whole."""
    media = s3_media_site.folder / "media"
    (media / "small").write_bytes(b"small")
    earlier = snapshot(proxied, 0)
    fill(media)
    proxy.cut_after(15 << 20)
    with pytest.raises(StoreError, match=r"store s3://"):
        snapshot(proxied, 1)
    proxy.restore()
    assert s3_media_site.environment().media_catalog.ids() == [earlier]
    later = snapshot(proxied, 2)
    restore_media(s3_media_site.environment(), later, tmp_path / "back")
    assert tree_of(tmp_path / "back") == tree_of(media)


def test_lost_answers_are_ridden_out(
    s3_media_site: Site, proxied: Environment, proxy: TcpProxy, tmp_path: Path
) -> None:
    """Requests that the store obeyed but whose answers were lost leave one whole snapshot all the same."""
    media = s3_media_site.folder / "media"
    fill(media)
    proxy.lose_answer(b"PUT ", times=3)
    id = snapshot(proxied, 0)
    assert proxy.lost_answers
    assert s3_media_site.environment().media_catalog.ids() == [id]
    restore_media(s3_media_site.environment(), id, tmp_path / "back")
    assert tree_of(tmp_path / "back") == tree_of(media)

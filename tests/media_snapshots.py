"""Makes committed media snapshots by the real writers, of shards that hold nothing, for tests that need many."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from contextlib import suppress
from datetime import datetime, timedelta

from holdfast.catalog import write_signed
from holdfast.environment import Environment
from holdfast.errors import ObjectExists
from holdfast.media.records import ListingFacts, ShardUse, SnapshotManifest
from holdfast.values.ids import RestorePointId

CONTENT = b"s" * 48


def put_shard(environment: Environment, shard: str) -> str:
    """Store a shard, if it is not there yet."""
    with suppress(ObjectExists):
        environment.store.put(environment.keys.shard(shard), [CONTENT])
    return shard


def put_draft(environment: Environment, id: RestorePointId, shards: Iterable[str] = ()) -> None:
    """Leave what a running sync leaves."""
    environment.store.put(environment.keys.media_draft(id, "open.json"), [b"{}"])
    for shard in shards:
        put_shard(environment, shard)
        environment.store.put(environment.keys.media_draft(id, f"{shard}.jsonl.zst.age"), [b"index"])


def store_snapshot(
    environment: Environment, id: RestorePointId, shards: Iterable[str], *, finished_at: datetime | None = None
) -> RestorePointId:
    """Commit a media snapshot as a sync would, its shards included."""
    uses = tuple(_use(put_shard(environment, shard)) for shard in shards)
    environment.store.put(environment.keys.listing(id), [CONTENT])
    manifest = SnapshotManifest(
        id=str(id),
        app=environment.app,
        environment=environment.name,
        tier=id.tier,
        source="file:///srv/media",
        started_at=id.opened_at,
        finished_at=finished_at or id.opened_at + timedelta(seconds=1),
        holdfast_version="0.1.0",
        parent=None,
        files=1,
        directories=0,
        links=0,
        bytes=1,
        read_files=1,
        new_files=1,
        stored_bytes=len(CONTENT),
        vanished=0,
        unstable=0,
        special=0,
        recipients=("age1x",),
        listing=ListingFacts(
            bytes=len(CONTENT), sha256="0" * 64, lines=1, footer_offset=0, footer_bytes=1, footer_sha256="0" * 64
        ),
        shards=uses,
    )
    keys = environment.keys
    write_signed(
        environment.store, keys.media_manifest(id), keys.media_signature(id), manifest.encode(), environment.signer()
    )
    return id


def _use(shard: str) -> ShardUse:
    digest = hashlib.sha256(CONTENT).hexdigest()
    return ShardUse(id=shard, bytes=len(CONTENT), sha256=digest, data_bytes=40, wanted_bytes=40)

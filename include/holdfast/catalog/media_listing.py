"""The media snapshots of an environment as people and scripts list them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass

from holdfast.catalog.media import MediaCatalog
from holdfast.crypto.signing import Verifier
from holdfast.errors import PermanentError
from holdfast.media.records import SnapshotManifest
from holdfast.storage.protocol import StoredObject
from holdfast.values.ids import RestorePointId
from holdfast.values.keys import LISTING_ENDING

type SnapshotObjects = Mapping[str, StoredObject]
"""What stands of one snapshot, by what follows its id."""


@dataclass(frozen=True, slots=True)
class MediaSummary:
    """One snapshot; ``faults`` tells what is already known to be wrong with it from listing alone.

    ``bytes`` of all its files; ``stored_bytes``, encrypted, of what it added to the store.
    """

    id: str
    tier: str
    started_at: str
    finished_at: str | None
    files: int
    bytes: int
    new_files: int
    stored_bytes: int
    faults: tuple[str, ...]

    def as_json(self) -> dict[str, object]:
        """The summary as an object of plain values."""
        return {**asdict(self), "faults": list(self.faults)}


def media_summaries(catalog: MediaCatalog, verifier: Verifier) -> list[MediaSummary]:
    """Every committed snapshot, oldest first; one with a broken manifest is listed with its fault."""
    # In this order a snapshot that a sync commits meanwhile is not called broken.
    ids = catalog.ids()
    objects, shards = snapshot_objects(catalog), catalog.shards()
    return [
        _summary(id, manifest, objects.get(str(id), {}), shards) for id, manifest in catalog.manifests(ids, verifier)
    ]


def snapshot_objects(catalog: MediaCatalog) -> dict[str, dict[str, StoredObject]]:
    """What stands of every snapshot, whether it is committed or not, by its id's text; from one listing."""
    found: dict[str, dict[str, StoredObject]] = {}
    prefix = catalog.keys.media_snapshots
    for stored in catalog.store.list(prefix):
        id, dot, ending = stored.key[len(prefix) :].partition(".")
        found.setdefault(id, {})[dot + ending] = stored
    return found


def listing_faults(manifest: SnapshotManifest, stored: StoredObject | None) -> list[str]:
    """Whether the listing of a snapshot is gone or has another size; with the reason."""
    if stored is None:
        return ["its listing is missing"]
    if stored.size_bytes != manifest.listing.bytes:
        return [f"its listing has {stored.size_bytes} bytes instead of {manifest.listing.bytes}"]
    return []


def shard_faults(manifest: SnapshotManifest, stored: Mapping[str, StoredObject]) -> list[str]:
    """The shards that a snapshot names but the store lacks, or has in another size; each with the reason."""
    faults = []
    for use in manifest.shards:
        found = stored.get(use.id)
        if found is None:
            faults.append(f"shard {use.id} is missing")
        elif found.size_bytes != use.bytes:
            faults.append(f"shard {use.id} has {found.size_bytes} bytes instead of {use.bytes}")
    return faults


def _summary(
    id: RestorePointId,
    manifest: SnapshotManifest | PermanentError,
    objects: SnapshotObjects,
    shards: Mapping[str, StoredObject],
) -> MediaSummary:
    if isinstance(manifest, PermanentError):
        return MediaSummary(str(id), id.tier, id.opened_at.isoformat(), None, 0, 0, 0, 0, (manifest.message,))
    return MediaSummary(
        id=manifest.id,
        tier=manifest.tier,
        started_at=manifest.started_at.isoformat(),
        finished_at=manifest.finished_at.isoformat(),
        files=manifest.files,
        bytes=manifest.bytes,
        new_files=manifest.new_files,
        stored_bytes=manifest.stored_bytes,
        faults=(*listing_faults(manifest, objects.get(LISTING_ENDING)), *shard_faults(manifest, shards)),
    )

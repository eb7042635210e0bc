"""What lies in a store of media, read in the order that makes it safe to delete by: references after what they name."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import batched

from holdfast.environment import Environment
from holdfast.errors import PermanentError
from holdfast.media.records import SnapshotManifest
from holdfast.retention.media import Snapshot
from holdfast.storage.protocol import StoredObject
from holdfast.values.ids import RestorePointId
from holdfast.values.keys import LISTING_ENDING, MEDIA_OPEN, SHARD_ENDING

type Objects = dict[str, StoredObject]
"""Stored objects that belong together, by what follows their common name."""

MANIFEST_ENDING = ".json"
_BATCH = 16  # whole manifests in memory at a time: each may name many thousands of shards


@dataclass(frozen=True, slots=True)
class StoredSnapshot:
    """A committed snapshot: what retention must know, its objects by their ending; the shards it names, if trusted."""

    facts: Snapshot
    objects: Objects
    shards: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class MediaState:
    """Everything below ``media/`` but the checks. ``remnants``: of snapshots that have no manifest."""

    drafts: dict[RestorePointId, Objects]
    shards: dict[str, Objects]
    snapshots: dict[RestorePointId, StoredSnapshot]
    remnants: dict[RestorePointId, Objects]

    @property
    def unreadable(self) -> list[RestorePointId]:
        """Snapshots of which nobody knows what they name."""
        return [id for id, snapshot in self.snapshots.items() if not snapshot.facts.is_trusted]

    @property
    def running(self) -> list[RestorePointId]:
        """Syncs that may be under way: one that failed takes its mark away, one that was killed leaves it."""
        return [id for id in self.unfinished if MEDIA_OPEN in self.drafts[id]]

    @property
    def unfinished(self) -> list[RestorePointId]:
        """Syncs that run or died; one that has committed merely had no time to clear up."""
        return [id for id in self.drafts if id not in self.snapshots or id in self.unreadable]


def read_media(environment: Environment) -> MediaState:
    """List drafts, then shards, then snapshots, and read the manifests.

    In this order a sync that commits meanwhile is seen as a draft or as a snapshot, and no shard is listed later
    than the snapshot that names it. Raises UsageError where there is no key to trust manifests by.
    """
    drafts = list_drafts(environment)
    shards = _grouped(environment, environment.keys.shards)
    listed = list_snapshots(environment)
    committed = {id: objects for id, objects in listed.items() if MANIFEST_ENDING in objects}
    sizes = {id: objects[SHARD_ENDING].size_bytes for id, objects in shards.items() if SHARD_ENDING in objects}
    names: dict[str, str] = {}
    verifier = environment.verifier()
    snapshots = {
        id: _snapshot(id, committed[id], manifest, sizes, names)
        for batch in batched(sorted(committed), _BATCH)
        for id, manifest in environment.media_catalog.manifests(batch, verifier)
    }
    remnants = {id: objects for id, objects in listed.items() if id not in committed}
    return MediaState(drafts, shards, snapshots, remnants)


def list_drafts(environment: Environment) -> dict[RestorePointId, Objects]:
    """What syncs that run, or died, have left."""
    return environment.media_catalog.drafts()


def list_snapshots(environment: Environment) -> dict[RestorePointId, Objects]:
    """The objects of every snapshot, whether it has its manifest or not."""
    return _by_id(_grouped(environment, environment.keys.media_snapshots))


def list_checks(environment: Environment) -> dict[RestorePointId, Objects]:
    """The records of media checks with their signatures."""
    return _by_id(_grouped(environment, environment.keys.media_checks))


def _grouped(environment: Environment, prefix: str) -> dict[str, Objects]:
    """Everything below ``prefix`` by the part of its name before the first dot."""
    found: dict[str, Objects] = {}
    for stored in environment.store.list(prefix):
        name, dot, ending = stored.key[len(prefix) :].partition(".")
        found.setdefault(name, {})[dot + ending] = stored
    return found


def _by_id(found: Mapping[str, Objects]) -> dict[RestorePointId, Objects]:
    """Those that bear an id; what else lies there is not ours to delete."""
    known = ((RestorePointId.recognised(name), objects) for name, objects in found.items())
    return {id: objects for id, objects in known if id is not None}


def _snapshot(
    id: RestorePointId,
    objects: Objects,
    manifest: SnapshotManifest | PermanentError,
    sizes: Mapping[str, int],
    names: dict[str, str],
) -> StoredSnapshot:
    """``names`` holds each shard's name once: years of snapshots name the same thousands of shards."""
    stored_at = objects[MANIFEST_ENDING].modified_at
    if isinstance(manifest, PermanentError):
        return StoredSnapshot(Snapshot(id, id.opened_at, stored_at, is_trusted=False, is_whole=False), objects, ())
    listing = objects.get(LISTING_ENDING)
    is_whole = (
        listing is not None
        and listing.size_bytes == manifest.listing.bytes
        and all(sizes.get(shard.id) == shard.bytes for shard in manifest.shards)
    )
    facts = Snapshot(id, manifest.finished_at, stored_at, is_trusted=True, is_whole=is_whole)
    return StoredSnapshot(facts, objects, tuple(names.setdefault(shard.id, shard.id) for shard in manifest.shards))

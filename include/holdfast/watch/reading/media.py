"""The media snapshots and what is left of unfinished ones; whether the newest has all its shards."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

from holdfast.catalog.catalog import Entry
from holdfast.catalog.media_listing import shard_faults, snapshot_objects
from holdfast.crypto.signing import Verifier
from holdfast.errors import ObjectMissing, PermanentError, StoreRefused
from holdfast.media.records import SnapshotManifest
from holdfast.retention.media import MEDIA_TIER
from holdfast.storage.protocol import StoredObject
from holdfast.values import keys
from holdfast.values.ids import RestorePointId
from holdfast.watch.facts import FaultyPoint, UnfinishedPoint
from holdfast.watch.reading.places import Told, demand_small
from holdfast.watch.reading.round import Reading, fault, newest_first

_MOST_FORGED = 3
_NAMES = {".json": keys.MANIFEST, ".sig": keys.SIGNATURE}


@dataclass(slots=True)
class MediaSnapshots:
    """The media snapshots: the objects of all of them lie in one folder, so that one listing shows them.

    Those that belong to a restore point bear its id; they are part of it, and no points of the tier ``media``.
    """

    reading: Reading
    title: str = "media snapshots"
    tiers: Collection[str] = (MEDIA_TIER,)
    has_checks: bool = False
    tested: Collection[str] = ()
    entries: dict[RestorePointId, Entry] = field(default_factory=dict)
    manifests: dict[RestorePointId, SnapshotManifest] = field(default_factory=dict)
    forged: dict[RestorePointId, FaultyPoint] = field(default_factory=dict)

    def ids(self) -> list[RestorePointId]:
        """Those of the tier of their own."""
        for text, objects in snapshot_objects(self.reading.environment.media_catalog).items():
            id = RestorePointId.recognised(text)
            if id is not None:
                self.entries[id] = Entry(id, _named(objects))
        return [id for id in self.entries if id.tier in self.tiers]

    def look(
        self, wanted: Collection[RestorePointId], welcome: Collection[RestorePointId]
    ) -> dict[RestorePointId, Entry]:
        """All of them were seen by the listing."""
        return {id: self.entries[id] for id in (*wanted, *welcome)}

    def told(self, id: RestorePointId, verifier: Verifier) -> Told:
        """What its manifest tells; ``bytes`` are those that it added."""
        manifest = self.manifest(id, verifier)
        newest = max((use.id for use in manifest.shards), default=None)
        return Told(
            started_at=manifest.started_at,
            finished_at=manifest.finished_at,
            bytes=manifest.stored_bytes,
            artifact_sizes={keys.LISTING_ENDING: manifest.listing.bytes},
            opened_by=None if newest is None else self.reading.environment.keys.shard(newest),
        )

    def stored_bytes(self, entry: Entry) -> int | None:
        """Its shards lie elsewhere."""
        return None

    def manifest(self, id: RestorePointId, verifier: Verifier) -> SnapshotManifest:
        """The whole manifest, read once."""
        if id not in self.manifests:
            self.manifests[id] = self.reading.environment.media_catalog.manifest(id, verifier)
        return self.manifests[id]

    def newest(self, verifier: Verifier) -> SnapshotManifest | None:
        """The newest that can be trusted, of the tier of its own or of a restore point; others are remembered."""
        committed = [id for id, entry in self.entries.items() if entry.is_committed]
        for id in newest_first(committed, self.reading.now)[:_MOST_FORGED]:
            try:
                demand_small(self.entries[id])
                return self.manifest(id, verifier)
            except StoreRefused:
                raise
            except ObjectMissing:  # expired since it was listed
                continue
            except PermanentError as error:
                self.forged[id] = fault(id, "signature_mismatch", error.message)
        return None


def missing_shards(reading: Reading, manifest: SnapshotManifest) -> FaultyPoint | None:
    """Whether the store lacks shards that a snapshot needs, by a listing of all shards."""
    faults = shard_faults(manifest, reading.environment.media_catalog.shards())
    if not faults:
        return None
    text = f"media snapshot {reading.environment.title}/{manifest.id}: {'; '.join(faults[:3])}"
    more = f", and {len(faults) - 3} more" if len(faults) > 3 else ""
    return fault(RestorePointId.parse(manifest.id), "artifact_missing", text + more)


def unfinished_media(reading: Reading) -> tuple[UnfinishedPoint, ...]:
    """Syncs that are under way, or died. Those of restore points show as restore points."""
    drafts = reading.environment.media_catalog.drafts()
    return tuple(
        UnfinishedPoint(
            id=str(id),
            tier=id.tier,
            opened_at=id.opened_at,
            last_written_at=max(stored.modified_at for stored in objects.values()),
        )
        for id, objects in sorted(drafts.items())
        if id.tier == MEDIA_TIER
    )


def _named(objects: Mapping[str, StoredObject]) -> dict[str, StoredObject]:
    return {_NAMES.get(ending, ending): stored for ending, stored in objects.items()}

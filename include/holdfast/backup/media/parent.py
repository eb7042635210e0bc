"""What a new snapshot builds upon: the newest sound one, and shards that a dead sync has left."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta

from holdfast.catalog import read_signed
from holdfast.crypto import age
from holdfast.environment import Environment
from holdfast.errors import IntegrityError, PermanentError
from holdfast.media.listing import read_blocks
from holdfast.media.records import ShardUse, SnapshotManifest
from holdfast.storage.protocol import StoredObject
from holdfast.storage.tally import Tally
from holdfast.values.ids import RestorePointId
from holdfast.values.keys import LISTING_ENDING


@dataclass(frozen=True, slots=True)
class Parent:
    """A committed snapshot whose listing is what was signed and can be read on this host."""

    manifest: SnapshotManifest
    key: str
    environment: Environment

    def blocks(self) -> Iterator[list[bytes]]:
        """The lines of its listing, a block at a time."""
        identities = self.environment.listing_identities()
        return read_blocks(age.decrypt(self.environment.store.stream(self.key), identities))


@dataclass(frozen=True, slots=True)
class Loose:
    """A shard that no snapshot names yet, with the lines of what it holds."""

    use: ShardUse
    lines: list[bytes]


def newest_parent(environment: Environment, notes: list[str]) -> Parent | None:
    """The newest snapshot that can be built upon; None at the first sync. Those that cannot are told in ``notes``."""
    catalog = environment.media_catalog
    for id in catalog.newest_first(environment.clock()):
        try:
            manifest = catalog.manifest(id, environment.verifier())
            parent = Parent(manifest, environment.keys.listing(id), environment)
            _demand_sound(parent)
        except PermanentError as error:
            notes.append(f"media snapshot {id} cannot be built upon: {error.message}")
        else:
            return parent
    return None


def loose_shards(environment: Environment, stored: dict[str, StoredObject]) -> Iterator[Loose]:
    """Shards of syncs that died, not long ago: of older ones expire may be about to remove the shards."""
    grace = environment.policy.orphan_grace
    now = environment.clock()
    horizon = now - (now - grace.before(now)) / 2
    for id, objects in environment.media_catalog.drafts().items():
        for name in objects:
            shard = stored.get(name.removesuffix(LISTING_ENDING)) if name.endswith(LISTING_ENDING) else None
            if shard is not None and horizon <= shard.modified_at <= now + timedelta(hours=1):
                try:
                    loose = _read_loose(environment, id, name)
                except PermanentError:
                    continue  # cut short by the death of its writer: the files are packed again
                if loose.use.bytes == shard.size_bytes:
                    yield loose


def _demand_sound(parent: Parent) -> None:
    """Read the listing once before it is relied on: a fault in its middle would show amid the walk."""
    tally = Tally()
    stored = tally.over(parent.environment.store.stream(parent.key))
    for _ in age.decrypt(stored, parent.environment.listing_identities()):
        pass
    if tally.sha256 != parent.manifest.listing.sha256:
        raise IntegrityError(f"{parent.key}: it is not the listing that was signed")


def _read_loose(environment: Environment, id: RestorePointId, name: str) -> Loose:
    shard = name.removesuffix(LISTING_ENDING)
    key = environment.keys.media_draft(id, name)
    signature_key = environment.keys.media_draft(id, f"{shard}.sig")
    document = read_signed(environment.store, key, signature_key, environment.verifier())
    blocks = read_blocks(age.decrypt([document], environment.listing_identities()))
    first, *lines = [line for block in blocks for line in block]
    use = ShardUse.model_validate_json(first)
    if use.id != shard:
        raise IntegrityError(f"{key}: it is the index of shard {use.id}")
    return Loose(use, lines)

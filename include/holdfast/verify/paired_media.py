"""Whether the media snapshot that a restore point pairs with is the one it was committed with, and is there whole."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping

from holdfast.catalog.media_listing import listing_faults, shard_faults
from holdfast.environment import Environment
from holdfast.errors import PermanentError, StoreRefused
from holdfast.manifest.model import MediaFacts
from holdfast.storage.protocol import StoredObject
from holdfast.values.ids import RestorePointId


def paired_media_faults(
    environment: Environment, media: MediaFacts, shards: Mapping[str, StoredObject] | None = None
) -> list[str]:
    """What is wrong with it, from its signature, hash and the sizes of its shards; bytes are for a media check.

    ``shards``: what the store holds of them, for callers that ask about many restore points; else they are listed.
    """
    try:
        id = RestorePointId.parse(media.snapshot)
        catalog = environment.media_catalog
        manifest = catalog.manifest(id, environment.verifier())
        digest = hashlib.sha256(environment.store.get(environment.keys.media_manifest(id))).hexdigest()
        listing = environment.store.head(environment.keys.listing(id))
    except StoreRefused:
        raise
    except PermanentError as error:
        return [error.message]
    faults = [] if digest == media.manifest_sha256 else ["its manifest is not the one that was paired"]
    faults += listing_faults(manifest, listing)
    faults += shard_faults(manifest, catalog.shards() if shards is None else shards)
    return [f"media snapshot {id}: {fault}" for fault in faults]

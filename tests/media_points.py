"""Commits restore points with a real snapshot of a site's media folder, without a database."""

from __future__ import annotations

import hashlib
import secrets
from datetime import UTC, datetime

from holdfast.backup import sync_media
from holdfast.catalog import write_signed
from holdfast.environment import Environment
from holdfast.manifest.model import Manifest, MediaFacts
from holdfast.values.ids import RestorePointId
from point_factory import make_manifest


def pair(environment: Environment, snapshot: RestorePointId) -> RestorePointId:
    """Commit a restore point that is paired with a stored snapshot."""
    catalog, keys = environment.media_catalog, environment.keys
    found = catalog.manifest(snapshot, environment.verifier())
    media = MediaFacts(
        snapshot=str(snapshot),
        manifest_sha256=hashlib.sha256(environment.store.get(keys.media_manifest(snapshot))).hexdigest(),
        started_at=found.started_at,
        finished_at=found.finished_at,
        files=found.files,
        bytes=found.bytes,
        vanished=0,
        unstable=0,
        references=None,
    )
    id = RestorePointId.make(datetime.now(UTC), "nightly", secrets.token_hex(8))
    document = make_manifest(id, media).encode()
    write_signed(environment.store, keys.manifest(id), keys.signature(id), document, environment.signer())
    return id


def point_of(environment: Environment) -> RestorePointId:
    """Take a snapshot of the media as they are now, and commit a restore point with it."""
    facts = sync_media(environment, tier="media", opened_at=datetime.now(UTC), origin=secrets.token_hex(8))
    return pair(environment, RestorePointId.parse(facts.snapshot))


def manifest_of(environment: Environment, id: RestorePointId) -> Manifest:
    """Its manifest, as a plan wants it."""
    return environment.catalog.manifest(id, environment.verifier())

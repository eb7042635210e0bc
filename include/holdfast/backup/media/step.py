"""The media step of a restore point: a snapshot begun after the dump's own, so that no file of the dump is missing."""

from __future__ import annotations

import hashlib

from holdfast.backup.drafts import DumpDraft, MediaDraft
from holdfast.backup.media.facts import SyncFacts
from holdfast.backup.media.references import compare
from holdfast.backup.media.sync import take_snapshot
from holdfast.catalog.drafts import read_draft, replace_draft
from holdfast.environment import Environment
from holdfast.errors import ObjectMissing, PermanentError
from holdfast.manifest.model import MediaFacts
from holdfast.media.records import SnapshotManifest
from holdfast.progress import Progress, Silent
from holdfast.values.ids import RestorePointId

_SILENT = Silent()


def snapshot_media(
    environment: Environment, id: RestorePointId, *, force: bool = False, progress: Progress = _SILENT
) -> SyncFacts:
    """Take the media snapshot that bears the restore point's id, and a signed draft of its facts.

    Needs the dump step's draft: what the dump refers to was there before the walk begins. Raises what sync_media
    raises, and IntegrityError where a file vanished during the walk that the database refers to.
    """
    if environment.catalog.entry(id).is_committed:
        manifest = environment.media_catalog.manifest(id, environment.verifier())
        committed = environment.catalog.manifest(id, environment.verifier()).media
        return SyncFacts.of_manifest(manifest, 0.0).compared(committed.references if committed else None)
    dumped = read_draft(environment.store, environment.keys.draft(id, "dump"), DumpDraft, environment.verifier())
    if dumped is None:
        raise PermanentError(
            f"restore point {environment.title}/{id}: the dump step has left no draft",
            hint="Run the dump step of this restore point first: media are snapshotted after the database.",
        )
    facts = take_snapshot(environment, id, force=force, progress=progress)
    snapshot = environment.media_catalog.manifest(id, environment.verifier())
    draft = MediaDraft(id=str(id), media=_described(environment, snapshot, dumped))
    replace_draft(environment.store, environment.keys.draft(id, "media"), draft, environment.signer())
    return facts.compared(draft.media.references)


def media_draft(environment: Environment, id: RestorePointId) -> MediaDraft | None:
    """What the media step left; None where the policy has no media. Raises PermanentError where it has not run."""
    if environment.policy.media is None:
        return None
    draft = read_draft(environment.store, environment.keys.draft(id, "media"), MediaDraft, environment.verifier())
    if draft is None:
        raise PermanentError(
            f"restore point {environment.title}/{id}: the media step has left no draft",
            hint="Run the media step of this restore point first.",
        )
    manifest = environment.store.get(environment.keys.media_manifest(id))
    if hashlib.sha256(manifest).hexdigest() != draft.media.manifest_sha256:
        raise PermanentError(f"restore point {environment.title}/{id}: its media snapshot was replaced")
    return draft


def discard_snapshot(environment: Environment, id: RestorePointId) -> None:
    """Forget the media snapshot of a restore point that is not committed and whose dump starts over.

    Its shards stay for the next walk to use.
    """
    keys = environment.keys
    for key in (keys.media_manifest(id), keys.media_signature(id), keys.listing(id)):
        environment.store.delete(key)


def _described(environment: Environment, snapshot: SnapshotManifest, dumped: DumpDraft) -> MediaFacts:
    try:
        manifest = environment.store.get(environment.keys.media_manifest(RestorePointId.parse(snapshot.id)))
    except ObjectMissing as error:
        raise PermanentError(f"media snapshot {environment.title}/{snapshot.id}: it was removed meanwhile") from error
    return MediaFacts(
        snapshot=snapshot.id,
        manifest_sha256=hashlib.sha256(manifest).hexdigest(),
        started_at=snapshot.started_at,
        finished_at=snapshot.finished_at,
        files=snapshot.files,
        bytes=snapshot.bytes,
        vanished=snapshot.vanished,
        unstable=snapshot.unstable,
        references=compare(environment, dumped, snapshot),
    )

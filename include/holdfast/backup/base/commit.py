"""Commits a base backup once the WAL that makes it whole is stored: a manifest without its WAL does not exist."""

from __future__ import annotations

import time

from holdfast.backup.base.drafts import BaseDraft, draft_key
from holdfast.backup.base.facts import BaseBackupFacts
from holdfast.catalog.drafts import read_draft
from holdfast.catalog.wal import WalPiece
from holdfast.environment import Environment
from holdfast.errors import IntegrityError, PermanentError, TransientError
from holdfast.manifest.base_backup import BaseBackupManifest
from holdfast.progress import Progress, Silent
from holdfast.values.ids import RestorePointId
from holdfast.values.lsn import Lsn
from holdfast.values.wal_names import WalSegment

_SILENT = Silent()
_FIRST_LOOK_S, _LONGEST_LOOK_S = 0.1, 2.0
# A listing of much WAL takes long: it is then asked for less often.
_REST = 4.0


def commit_base_backup(
    environment: Environment, id: RestorePointId, *, progress: Progress = _SILENT
) -> BaseBackupFacts:
    """Wait for the WAL from the base backup's start to its end, then sign and store its manifest.

    A second time it finds its own and changes nothing. Raises TransientError naming the first segment that is not
    stored after ``policy.wal.wait_for_wal``, IntegrityError where an artifact is not as it was stored.
    """
    started = time.monotonic()
    catalog = environment.base_catalog
    entry = catalog.entry(id)
    if entry.is_committed:
        manifest = catalog.manifest(id, environment.verifier())
    else:
        manifest = _demand_draft(environment, id).manifest
        await_wal(environment, manifest, progress)
        _demand_stored(environment, id, manifest)
        catalog.commit(manifest, environment.signer())
    environment.store.delete(draft_key(environment, id))
    return BaseBackupFacts.of_manifest(manifest, time.monotonic() - started)


def _demand_draft(environment: Environment, id: RestorePointId) -> BaseDraft:
    draft = read_draft(environment.store, draft_key(environment, id), BaseDraft, environment.verifier())
    if draft is None:
        raise PermanentError(
            f"base backup {environment.title}/{id}: no draft of it is in the store",
            hint="Run the step that stores it first.",
        )
    if draft.id != str(id) or draft.manifest.id != draft.id:
        raise IntegrityError(f"base backup {environment.title}/{id}: the draft there belongs to {draft.id}")
    return draft


def _demand_stored(environment: Environment, id: RestorePointId, manifest: BaseBackupManifest) -> None:
    """Raise IntegrityError where what was stored, or what an incremental one builds on, is not there any more."""
    catalog = environment.base_catalog
    faults = catalog.entry(id).missing(manifest)
    gone = [each for each in manifest.chain if not catalog.entry(RestorePointId.parse(each)).is_committed]
    faults += [f"{each}, on which it builds, was removed" for each in gone]
    if faults:
        raise IntegrityError(
            f"base backup {environment.title}/{id}: {'; '.join(faults)}",
            hint="Something removed or replaced it after it was stored; start a new base backup.",
        )


def await_wal(environment: Environment, manifest: BaseBackupManifest, progress: Progress) -> None:
    """Return once all WAL that the base backup needs is stored; raises TransientError when that takes too long."""
    limit = environment.policy.wal.wait_for_wal
    deadline = time.monotonic() + limit.as_seconds
    look_s = _FIRST_LOOK_S
    progress.begin(f"WAL up to {manifest.stop_lsn}")
    while True:
        began = time.monotonic()
        missing = missing_wal(manifest, environment.wal_catalog.pieces(manifest.system_identifier))
        if not missing:
            return progress.end("stored")
        now = time.monotonic()
        if now >= deadline:
            more = f" and {len(missing) - 1} more" if len(missing) > 1 else ""
            raise TransientError(
                f"base backup {environment.title}/{manifest.id}: WAL segment {missing[0]}{more} is not in the store "
                f"after {limit}, so that the base backup cannot be used yet",
                hint="Is `holdfast wal stream` (the DAG `wal`) running? Once it has caught up, do the same again.",
            )
        progress.advance(0)
        time.sleep(min(max(look_s, (now - began) * _REST), deadline - now))
        look_s = min(look_s * 2, _LONGEST_LOOK_S)


def missing_wal(manifest: BaseBackupManifest, pieces: list[WalPiece]) -> list[str]:
    """The segments from the start to the end of the base backup that are not stored, in order.

    Of the last one, a beginning does that reaches beyond the end: a standby, unlike a primary, cannot close it.
    """
    stop = Lsn.parse(manifest.stop_lsn)
    segment = WalSegment.at(manifest.timeline, Lsn.parse(manifest.start_lsn), manifest.segment_bytes)
    last = WalSegment.at(manifest.timeline, Lsn(max(stop.value - 1, 0)), manifest.segment_bytes)
    stored = {piece.name for piece in pieces if piece.is_stored and piece.kind == "segment"}
    if any(
        piece.is_stored
        and piece.kind == "partial"
        and piece.file == last.name
        and last.start + (piece.end or 0) >= stop
        for piece in pieces
    ):
        stored.add(last.name)
    missing = []
    while segment <= last:
        if segment.name not in stored:
            missing.append(segment.name)
        segment = segment.next()
    return missing

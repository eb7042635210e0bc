"""Commits a restore point: the signed manifest, written last, is what makes it exist."""

from __future__ import annotations

import time

import holdfast
from holdfast.backup.drafts import DumpDraft, OpenDraft, VerifyDraft
from holdfast.backup.facts import StepFacts
from holdfast.backup.inventory import inventory_draft
from holdfast.backup.media import media_draft
from holdfast.catalog import Entry, write_signed
from holdfast.catalog.drafts import read_draft
from holdfast.environment import Environment
from holdfast.errors import IntegrityError, PermanentError
from holdfast.manifest.model import Manifest
from holdfast.progress import Progress, Silent
from holdfast.values.ids import RestorePointId

_SILENT = Silent()


def commit_manifest(environment: Environment, id: RestorePointId, *, progress: Progress = _SILENT) -> StepFacts:
    """Sign and store the manifest of a verified dump; a second time it finds its own and changes nothing.

    Raises IntegrityError where the drafts disagree or an artifact is not as it was when verified.
    """
    started = time.monotonic()
    progress.begin("manifest")
    entry = environment.catalog.entry(id)
    if entry.is_committed:
        manifest = environment.catalog.manifest(id, environment.verifier())
    else:
        manifest = _assemble(environment, id)
        _demand_stored(environment, entry, manifest)
        write_signed(
            environment.store,
            environment.keys.manifest(id),
            environment.keys.signature(id),
            manifest.encode(),
            environment.signer(),
        )
    _clear_drafts(environment, id)
    progress.end(f"restore point {id} committed")
    return StepFacts.of_manifest(manifest, time.monotonic() - started)


def _assemble(environment: Environment, id: RestorePointId) -> Manifest:
    """The manifest from the drafts alone: no clock and no chance, so that every attempt makes the same bytes."""
    opened = _demand(environment, id, "open", OpenDraft)
    dumped = _demand(environment, id, "dump", DumpDraft)
    verified = _demand(environment, id, "verify", VerifyDraft)
    inventory = inventory_draft(environment, id)
    media = media_draft(environment, id)
    artifacts = (*dumped.artifacts, *([inventory.artifact] if inventory else []))
    if verified.artifacts != artifacts:
        raise IntegrityError(
            f"restore point {environment.title}/{id}: the artifacts that were verified are not those that were stored",
            hint="Clear the verify list task, so that it reads the newest artifacts.",
        )
    return Manifest(
        id=str(id),
        app=environment.app,
        environment=environment.name,
        tier=id.tier,
        label=opened.label,
        opened_at=opened.opened_at,
        holdfast_version=holdfast.__version__,
        artifacts=artifacts,
        database=dumped.database,
        media=media.media if media else None,
        inventory=inventory.report if inventory else None,
        verification=verified.verification,
    )


def _demand[Draft: (OpenDraft, DumpDraft, VerifyDraft)](
    environment: Environment, id: RestorePointId, step: str, kind: type[Draft]
) -> Draft:
    draft = read_draft(environment.store, environment.keys.draft(id, step), kind, environment.verifier())
    if draft is None:
        raise PermanentError(
            f"restore point {environment.title}/{id}: the step {step} has left no draft",
            hint=f"Run the step {step} of this restore point first.",
        )
    if draft.id != str(id):
        raise IntegrityError(f"restore point {environment.title}/{id}: the draft of {step} belongs to {draft.id}")
    return draft


def _demand_stored(environment: Environment, entry: Entry, manifest: Manifest) -> None:
    faults = entry.missing(manifest)
    if faults:
        raise IntegrityError(
            f"restore point {environment.title}/{manifest.id}: {'; '.join(faults)}",
            hint="Something removed or replaced it after it was verified; start a new backup.",
        )


def _clear_drafts(environment: Environment, id: RestorePointId) -> None:
    for step in ("open", "inventory", "dump", "media", "verify"):
        environment.store.delete(environment.keys.draft(id, step))

"""The verify list step: reads the stored dump back before a manifest may vouch for it."""

from __future__ import annotations

import statistics
import time

from holdfast.backup.drafts import DumpDraft, VerifyDraft
from holdfast.backup.facts import StepFacts
from holdfast.backup.inventory import inventory_draft
from holdfast.catalog.drafts import read_draft, replace_draft
from holdfast.environment import Environment
from holdfast.errors import IntegrityError, PermanentError
from holdfast.manifest.head import Head
from holdfast.manifest.model import SourceFacts, Verification
from holdfast.progress import Progress, Silent
from holdfast.values.ids import RestorePointId
from holdfast.verify import ReadBack, read_back

_SILENT = Silent()
# A week of nightlies: enough for a median that one odd night does not move.
_RECENT = 7


def verify_list(
    environment: Environment, id: RestorePointId, *, accepts_small: bool = False, progress: Progress = _SILENT
) -> StepFacts:
    """Read the dump back, compare its list with the snapshot's tables and its size with the tier's recent ones.

    ``accepts_small``: the size does not matter, for what is backed up may be what has to be restored.

    Raises IntegrityError naming every fault; then no manifest is written and no restore point appears.
    """
    started = time.monotonic()
    entry = environment.catalog.entry(id)
    if entry.is_committed:
        return StepFacts.of_manifest(environment.catalog.manifest(id, environment.verifier()), 0.0)
    dumped = _dumped(environment, id)
    inventory = inventory_draft(environment, id)
    artifacts = (*dumped.artifacts, *([inventory.artifact] if inventory else []))
    found = read_back(environment, id, artifacts, dumped.database, progress)
    faults = [*found.faults, *([] if accepts_small else _shrinkage(environment, id, dumped))]
    if found.is_damaged:
        # The steps would find their drafts and change nothing; without them, clearing a step stores anew.
        for step in ("dump", "inventory"):
            environment.store.delete(environment.keys.draft(id, step))
    if faults:
        raise IntegrityError(
            f"restore point {environment.title}/{id}: {'; '.join(faults)}",
            hint="No restore point was made. Look at the store and the source, then start a new backup.",
        )
    seconds = time.monotonic() - started
    replace_draft(
        environment.store,
        environment.keys.draft(id, "verify"),
        VerifyDraft(id=str(id), artifacts=artifacts, verification=_verification(environment, found, seconds)),
        environment.signer(),
    )
    source = dumped.database.source
    return StepFacts(str(id), found.bytes, len(source.tables), source.rows, seconds)


def _dumped(environment: Environment, id: RestorePointId) -> DumpDraft:
    draft = read_draft(environment.store, environment.keys.draft(id, "dump"), DumpDraft, environment.verifier())
    if draft is None:
        raise PermanentError(
            f"restore point {environment.title}/{id}: the dump step has left no draft",
            hint="Run the dump step of this restore point first.",
        )
    return draft


def _shrinkage(environment: Environment, id: RestorePointId, dumped: DumpDraft) -> list[str]:
    """A fault when the dump is far smaller than this tier's recent ones of the same database: often it was emptied.

    Sizes of another database say nothing: a connection that now leads elsewhere starts a history of its own.
    """
    ratio = environment.dump_tier(id.tier).min_size_ratio
    recent = _recent_sizes(environment, id, dumped.database.source)
    size = next(artifact.bytes for artifact in dumped.artifacts if artifact.content == "database")
    if not recent or size >= statistics.median(recent) * ratio:
        return []
    median = round(statistics.median(recent))
    return [
        f"the dump is unusually small: {size} bytes, less than {ratio:g} of the median {median} of the last "
        f"{len(recent)} {id.tier} restore points (tiers.{id.tier}.min_size_ratio tunes this)"
    ]


def _recent_sizes(environment: Environment, id: RestorePointId, source: SourceFacts) -> list[int]:
    """Stored bytes of the tier's newest dumps of the same database."""
    entries = environment.catalog.entries()
    recent = [entry.id for entry in entries if entry.is_committed and entry.id.tier == id.tier and entry.id != id]
    identity = (source.system_identifier, source.database)
    return [
        size
        for _, head in environment.catalog.heads(recent[-_RECENT:])
        if isinstance(head, Head) and (head.system_identifier, head.database) == identity
        for name, size in head.artifact_sizes.items()
        if name.startswith("database.dump")
    ]


def _verification(environment: Environment, found: ReadBack, seconds: float) -> Verification:
    return Verification(
        verified_at=environment.clock(),
        decrypted=found.is_decrypted,
        listed_tables=found.listed_tables,
        archive_format=found.archive_format,
        seconds=round(seconds, 3),
    )

"""Restores the media that belong to a restore point, a sample or all, and looks for files that the database misses."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import Literal

import psycopg

from holdfast.backup.media.references import beside
from holdfast.drill.checks.findings import blamed, capped
from holdfast.drill.checks.media_references import Compared, references
from holdfast.drill.checks.refusals import refused
from holdfast.drill.checks.sampling import Sample
from holdfast.drill.outcome import Outcome, blames_backup, blames_drill
from holdfast.environment import Environment
from holdfast.errors import DatabaseError, IntegrityError, PermanentError, UsageError
from holdfast.manifest.model import Manifest, MediaFacts
from holdfast.media.entries import Entry, parse, printable
from holdfast.media.listing import ListingSearch
from holdfast.policy.drill import Drill
from holdfast.postgres.conninfo import Target
from holdfast.progress import Progress, Silent
from holdfast.restore import MediaRestoreReport, restore_media
from holdfast.restore.media_report import MediaFault
from holdfast.values.ids import RestorePointId
from holdfast.verify.paired_media import paired_media_faults

_SILENT = Silent()
_TIMEOUT_S = 15 * 60
Extent = Literal["sample", "all"]


def restore_and_check_media(
    environment: Environment,
    manifest: Manifest,
    target: Target,
    folder: Path,
    *,
    extent: Extent,
    seed: str,
    progress: Progress = _SILENT,
) -> Outcome:
    """Compare the restored database's references with the paired snapshot, and restore its files into ``folder``.

    All of them, or the policy's ``media_sample`` files, chosen by ``seed``; each file's SHA-256 is checked as it is
    restored. What stands there already, the same to the byte, is left. Raises TransientError where store or server
    do not answer.
    """
    if manifest.media is None:
        return Outcome(notes=("no media snapshot belongs to this restore point",), facts={"media": False})
    try:
        return _checked(environment, manifest.media, target, folder, extent, seed, progress)
    except PermanentError as error:
        return Outcome((blamed(error),))


def media_fetcher(environment: Environment, manifest: Manifest, folder: Path) -> Callable[[Sequence[str]], None] | None:
    """What restores more paths of the paired snapshot into ``folder``; None where the restore point has no media.

    It raises as ``restore_media``, and IntegrityError that names the files that could not be restored.
    """
    if manifest.media is None:
        return None
    snapshot = RestorePointId.parse(manifest.media.snapshot)

    def fetch(paths: Sequence[str]) -> None:
        report = restore_media(environment, snapshot, folder, paths=[path.encode() for path in paths])
        if not report.ok:
            raise IntegrityError(f"media snapshot {snapshot}: {'; '.join(map(_told, report.faults[:10]))}")

    return fetch


def _checked(
    environment: Environment,
    media: MediaFacts,
    target: Target,
    folder: Path,
    extent: Extent,
    seed: str,
    progress: Progress,
) -> Outcome:
    paired = list(map(blames_backup, paired_media_faults(environment, media)))
    snapshot = RestorePointId.parse(media.snapshot)
    catalog, verifier = environment.media_catalog, environment.verifier()
    found, listing = catalog.listing(snapshot, verifier, environment.listing_identities())
    if (found.files, found.bytes) != (media.files, media.bytes):
        told = f"{media.files} files of {media.bytes} bytes, the snapshot has {found.files} of {found.bytes}"
        paired.append(blames_backup(f"media snapshot {snapshot}: the restore point's manifest tells of {told}"))
    sample = Sample((environment.policy.drill or Drill()).media_sample, seed)
    progress.begin("media references")
    compared = _compared(environment, media, target, found.source, listing, sample)
    progress.end()
    report = restore_media(
        environment, snapshot, folder, paths=None if extent == "all" else sample.paths(), progress=progress
    )
    return Outcome.merged([Outcome(tuple(paired)), compared, _restored(report, extent)])


def _compared(
    environment: Environment,
    media: MediaFacts,
    target: Target,
    source: str,
    listing: ListingSearch,
    sample: Sample,
) -> Outcome:
    """Compare, and offer every file to the sample on the way."""
    query = environment.policy.media_references
    compared, walk = Compared(media.references), _Walk(listing)
    try:
        with closing(references(target, query, source)) as referenced:
            for path, kind in beside(referenced, walk.paths()):
                compared.add(path, kind)
                if walk.entry is not None and walk.entry.path == path and walk.entry.kind == "file":
                    sample.add(walk.entry, is_referenced=kind == "both")
    except (DatabaseError, UsageError) as error:
        # The sample is of the files alone then.
        for entry in map(parse, listing.below()):
            if entry.kind == "file":
                sample.add(entry, is_referenced=False)
        cause = error.__cause__
        if isinstance(cause, psycopg.Error):
            return Outcome((refused(cause, target, "media_references", _TIMEOUT_S),))
        return Outcome((blamed(error),))
    return compared.outcome() if query is not None else Outcome()


class _Walk:
    """Goes through a listing; ``entry`` is the one last told of."""

    def __init__(self, listing: ListingSearch) -> None:
        self._listing = listing
        self.entry: Entry | None = None

    def paths(self) -> Iterator[tuple[bytes, str]]:
        """Every path with its kind."""
        for line in self._listing.below():
            self.entry = parse(line)
            yield self.entry.path, self.entry.kind


def _restored(report: MediaRestoreReport, extent: Extent) -> Outcome:
    findings = [
        (blames_drill if fault.is_of_target else blames_backup)(f"media file {_told(fault)}") for fault in report.faults
    ]
    return Outcome(
        capped(findings, "media files that could not be restored"),
        report.notes,
        {
            "media": True,
            "media_extent": extent,
            "media_files": report.files + report.skipped,
            "media_files_failed": report.fault_count,
            "media_bytes": report.bytes,
            "media_seconds": round(report.seconds, 3),
        },
    )


def _told(fault: MediaFault) -> str:
    return f"{printable(fault.path)}: {fault.reason}"

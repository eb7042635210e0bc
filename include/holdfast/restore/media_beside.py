"""Restores the media of a restore point beside the live directory, whole and checked, for a switch to make live."""

from __future__ import annotations

import os
import re
import stat
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from holdfast.environment import Environment
from holdfast.errors import IntegrityError, RestoreError
from holdfast.manifest.model import MediaFacts
from holdfast.media.directory_source import DirectorySource
from holdfast.media.entries import shown
from holdfast.progress import Progress, Silent
from holdfast.recovery.clearing import remove_tree
from holdfast.restore.media import restore_media
from holdfast.restore.media_exchange import demand_exchange, explained
from holdfast.restore.media_marks import own_all, take_marks
from holdfast.restore.media_place import MediaPlace, folder_at, hold, media_place
from holdfast.restore.media_records import BesideRecord, read_beside, write_beside
from holdfast.restore.media_report import MediaRestoreReport
from holdfast.values import figures
from holdfast.values.ids import RestorePointId
from holdfast.verify.paired_media import paired_media_faults

_SILENT = Silent()
_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_DRAFT = re.compile(rb"\.holdfast-[0-9a-f]{16}")
_NAMED = 5


@dataclass(frozen=True, slots=True)
class MediaBeside:
    """What lies beside the live directory, ready to be switched. ``skipped``: files that an earlier run restored."""

    path: Path
    snapshot: str
    files: int
    bytes: int
    skipped: int
    notes: tuple[str, ...]
    seconds: float


def restore_media_beside(
    environment: Environment, point: RestorePointId, *, progress: Progress = _SILENT
) -> MediaBeside:
    """Restore the paired snapshot of ``point`` into ``<parent>/.<name>.restored-<point>``; the live one is not touched.

    A run after an interrupted one goes on; each file's SHA-256 is checked, also of those that stand there already.
    The directory is given what the live one has of owner and mode, its files what the snapshot tells.

    Raises UsageError or RestoreError before anything is written where media cannot be switched here, IntegrityError
    that names files which could not be restored, and what ``restore_media`` raises.
    """
    started = time.monotonic()
    place = media_place(environment)
    place.demand_possible()
    media = _paired(environment, point)
    snapshot = RestorePointId.parse(media.snapshot)
    path = place.path.parent / place.beside(point)
    try:
        with _begun(environment, place, point, media) as (folder, opened, record):
            demand_exchange(opened, str(path))
            os.fchmod(opened, 0o700)
            _clear_drafts(path)
            report = restore_media(environment, snapshot, path, overwrite=True, follow_link=False, progress=progress)
            entries = _demand_whole(report, path)
            source = environment.media_catalog.manifest(snapshot, environment.verifier()).source
            if not source.startswith("file:"):
                own_all(path, folder, place.name)
            take_marks(opened, folder, place.name)
            _demand_same(folder, path, record)
            write_beside(folder, path.name, record.model_copy(update={"is_complete": True, "entries": entries}))
    except OSError as error:
        raise RestoreError(
            f"media {path}: cannot be restored beside: {explained(error)}",
            hint="The live directory was not touched. Run the same again to go on.",
        ) from error
    return MediaBeside(
        path=path,
        snapshot=media.snapshot,
        files=media.files,
        bytes=media.bytes,
        skipped=report.skipped,
        notes=report.notes,
        seconds=time.monotonic() - started,
    )


def count_entries(path: Path) -> int:
    """How many files and links lie below ``path``."""
    # A link to a folder is listed among the folders.
    counts = (len(files) + sum(Path(at, name).is_symlink() for name in folders) for at, folders, files in os.walk(path))
    return sum(counts)


def _paired(environment: Environment, point: RestorePointId) -> MediaFacts:
    """The snapshot of a restore point, known to be the one that it was committed with."""
    media = environment.catalog.manifest(point, environment.verifier()).media
    if media is None:
        raise RestoreError(
            f"restore point {environment.title}/{point}: it has no media",
            hint="Restore the database alone, or choose a media snapshot for `holdfast media restore`.",
        )
    faults = paired_media_faults(environment, media)
    if faults:
        raise IntegrityError("; ".join(faults), hint="Nothing was restored. Choose another restore point.")
    return media


@contextmanager
def _begun(
    environment: Environment, place: MediaPlace, point: RestorePointId, media: MediaFacts
) -> Iterator[tuple[int, int, BesideRecord]]:
    """(the folder of the live directory, the directory beside, its record): made or found again, and held."""
    beside = place.beside(point)
    folder = os.open(place.path.parent, _FOLDER)
    try:
        with place.opened():
            opened = _opened(folder, beside, place)
            try:
                hold(opened, place.path.parent / beside)
                record = BesideRecord(
                    app=environment.app,
                    environment=environment.name,
                    restore_point=str(point),
                    snapshot=media.snapshot,
                    inode=os.fstat(opened).st_ino,
                    files=media.files,
                    bytes=media.bytes,
                )
                write_beside(folder, beside, record)
            except BaseException:
                os.close(opened)
                raise
        try:
            yield folder, opened, record
        finally:
            os.close(opened)
    finally:
        os.close(folder)


def _opened(folder: int, beside: str, place: MediaPlace) -> int:
    """The directory of that name: new, or the one that an earlier run made; raises RestoreError for any other."""
    status = folder_at(folder, beside)
    if status is None:
        os.mkdir(beside, 0o700, dir_fd=folder)
    opened = os.open(beside, _FOLDER, dir_fd=folder)
    if status is not None and not _is_ours(folder, beside, opened):
        os.close(opened)
        raise RestoreError(
            f"{place.path.parent / beside}: it is not what an earlier run has made",
            hint="Where a switch was interrupted, finish that first: this may be the replaced directory. Else find "
            "out who made it, and remove it.",
        )
    return opened


def _is_ours(folder: int, beside: str, opened: int) -> bool:
    status, record = os.fstat(opened), read_beside(folder, beside)
    if record is not None and record.inode == status.st_ino:
        return True
    # A run that was killed between making it and writing that down.
    is_closed = status.st_uid == os.geteuid() and stat.S_IMODE(status.st_mode) == 0o700
    with os.scandir(opened) as entries:
        return is_closed and next(entries, None) is None


def _demand_same(folder: int, path: Path, record: BesideRecord) -> None:
    status = folder_at(folder, path.name)
    if status is None or status.st_ino != record.inode:
        raise RestoreError(f"{path}: it was renamed or replaced while it was being restored")


def _clear_drafts(path: Path) -> None:
    """Half-written files that a killed run left, where the file system has none without a name."""
    for found in DirectorySource(path).scan():
        name = found.path.rstrip(b"/").rpartition(b"/")[2]
        if _DRAFT.fullmatch(name):
            remove_tree(path / os.fsdecode(found.path))


def _demand_whole(report: MediaRestoreReport, path: Path) -> int:
    """How many files and links are there: all of the snapshot's and no other; raises IntegrityError or RestoreError."""
    if not report.ok:
        named = "; ".join(f"{shown(fault.path)}: {fault.reason}" for fault in report.faults[:_NAMED])
        more = f" and {report.fault_count - _NAMED} more" if report.fault_count > _NAMED else ""
        raise IntegrityError(
            f"media snapshot {report.snapshot}: {figures.count(report.fault_count)} paths could not be restored: "
            f"{named}{more}",
            hint=f"The live directory was not touched, {path} is kept. Choose another restore point, or copy what is "
            "whole by hand.",
        )
    expected = report.files + report.skipped + report.links + report.hard_links
    there = count_entries(path)
    if there != expected:
        raise RestoreError(
            f"{path}: {figures.count(there)} files are there instead of {figures.count(expected)}",
            hint="Somebody else wrote into it: remove it, and restore again.",
        )
    return there

"""What a switch of the live media directory would do, found out without writing anything."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from holdfast.environment import Environment
from holdfast.manifest.model import Manifest, MediaFacts
from holdfast.media.directory_source import DirectorySource
from holdfast.media.entries import parse
from holdfast.restore.media_comparison import Comparison
from holdfast.restore.media_files import IS_ROOT
from holdfast.restore.media_place import MediaPlace, media_place, place_fault
from holdfast.restore.media_switch_progress import free_name
from holdfast.values import figures
from holdfast.values.ids import RestorePointId
from holdfast.verify.paired_media import paired_media_faults

_STAYS_OPEN = (
    "Files that the application has open stay open and whole in the replaced directory; what it opens anew it finds "
    "in the restored one. A container that has the directory itself mounted sees the replaced one until it is "
    "restarted, as does a process that works in it."
)


@dataclass(frozen=True, slots=True)
class MediaSwitchPlan:
    """``target``: the directory that would be replaced, with its ``inode``, None where there is none.

    ``files`` and ``bytes``: of the ``snapshot``, None where the restore point has no media. ``kept_as``: the name for
    what is replaced. ``faults``: why it cannot be, each with what to do instead. ``notes`` may differ the next time.
    """

    target: str
    inode: int | None
    snapshot: str | None
    files: int
    bytes: int
    kept_as: str
    faults: tuple[str, ...]
    notes: tuple[str, ...]

    @property
    def is_possible(self) -> bool:
        """Whether nothing stands in the way."""
        return not self.faults


def plan_media_switch(environment: Environment, manifest: Manifest) -> MediaSwitchPlan:
    """What switching to the media of a restore point would do; nothing is written. Raises what its listing raises."""
    media, policy = manifest.media, environment.policy.media
    faults = [] if media is not None else ["the restore point has no media: restore the database alone"]
    unplaced = place_fault(environment)
    if unplaced is not None:
        return _impossible("" if policy is None else policy.source, media, (*faults, unplaced))
    place = media_place(environment)
    faults += place.faults()
    if media is None or faults:
        return _impossible(str(place.path), media, tuple(faults))
    return _possible(environment, place, RestorePointId.parse(manifest.id), media)


def _impossible(target: str, media: MediaFacts | None, faults: tuple[str, ...]) -> MediaSwitchPlan:
    if media is None:
        return MediaSwitchPlan(target, None, None, 0, 0, "", faults, ())
    return MediaSwitchPlan(target, None, media.snapshot, media.files, media.bytes, "", faults, ())


def _possible(environment: Environment, place: MediaPlace, point: RestorePointId, media: MediaFacts) -> MediaSwitchPlan:
    comparison = Comparison(os.statvfs(place.path.parent).f_frsize)
    faults = paired_media_faults(environment, media)
    status = place.path.stat() if place.path.exists() else None
    with place.opened(is_alone=False) as folder:
        kept_as = free_name(folder, place, "before", point)
    if not faults:
        catalog, verifier = environment.media_catalog, environment.verifier()
        snapshot = RestorePointId.parse(media.snapshot)
        _, listing = catalog.listing(snapshot, verifier, environment.listing_identities())
        live = DirectorySource(place.path).scan() if status is not None else iter(())
        comparison.compare(live, map(parse, listing.below()))
        faults += _room_faults(place, point, comparison)
    notes = tuple(_notes(place, kept_as, comparison, is_missing=status is None)) if not faults else ()
    return MediaSwitchPlan(
        target=str(place.path),
        inode=None if status is None else status.st_ino,
        snapshot=media.snapshot,
        files=media.files,
        bytes=media.bytes,
        kept_as=kept_as,
        faults=tuple(faults),
        notes=notes,
    )


def _room_faults(place: MediaPlace, point: RestorePointId, comparison: Comparison) -> Iterator[str]:
    """What an earlier run has restored beside already needs no room any more."""
    parent = place.path.parent
    room = os.statvfs(parent)
    standing_files, standing_bytes = _standing(parent / place.beside(point))
    needed_bytes = max(0, comparison.needed_bytes - standing_bytes)
    free_bytes = room.f_bavail * room.f_frsize
    if needed_bytes > free_bytes:
        yield (
            f"{figures.size(needed_bytes)} are needed beside it, {figures.size(free_bytes)} are free in {parent}: "
            "free space there, such as replaced media that are kept no longer"
        )
    if room.f_files and comparison.needed_files - standing_files > room.f_favail:
        yield (
            f"{figures.count(comparison.needed_files - standing_files)} files are to be made, the file system of "
            f"{parent} has room for {figures.count(room.f_favail)} more: remove files there"
        )


def _standing(beside: Path) -> tuple[int, int]:
    """(files, bytes) that lie there; a link is never followed."""
    if beside.is_symlink() or not beside.is_dir():
        return 0, 0
    files = size_bytes = 0
    for folder, _, names in os.walk(beside):
        for name in names:
            files += 1
            size_bytes += Path(folder, name).lstat().st_blocks * 512
    return files, size_bytes


def _notes(place: MediaPlace, kept_as: str, comparison: Comparison, *, is_missing: bool) -> Iterator[str]:
    parent = place.path.parent
    if place.named != place.path:
        yield f"{place.named} leads through a symbolic link to {place.path}: that one is switched, the link stays."
    if not IS_ROOT:
        yield "What is restored belongs to this user and its group, without special bits: only root can give more."
    if is_missing:
        yield (
            f"{place.path} does not exist: what is restored is renamed to it, and belongs to the owner of its files. "
            "Look whether a file system is missing there, and who must be able to write."
        )
    else:
        yield from _differences(parent / kept_as, comparison)
        yield _STAYS_OPEN
        yield "The next media snapshot reads every file again, each being new; what is stored is not stored twice."
    yield (
        f"{figures.size(comparison.needed_bytes)} are needed in {parent}, "
        f"{figures.size(os.statvfs(parent).f_bavail * os.statvfs(parent).f_frsize)} are free; what is replaced takes "
        "its room as long as it is kept."
    )


def _differences(kept: Path, comparison: Comparison) -> Iterator[str]:
    least = "at least " if comparison.is_capped else ""
    yield (
        f"{least}{figures.count(comparison.only_live)} files ({figures.size(comparison.only_live_bytes)}) that are "
        f"live now are not in the snapshot: the application will not see them any more, they stay in {kept}."
    )
    if comparison.resized:
        yield f"{least}{figures.count(comparison.resized)} files have another size in the snapshot."
    if comparison.only_stored:
        yield f"{least}{figures.count(comparison.only_stored)} files come back that are not live now."
    if comparison.closed:
        yield f"{figures.count(comparison.closed)} folders could not be read, and were not counted."

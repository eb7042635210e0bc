"""Replaced media directories: which there are, and their removal once they were kept long enough."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from holdfast.environment import Environment
from holdfast.errors import HoldfastError, RestoreError
from holdfast.recovery.clearing import remove_tree
from holdfast.restore.media_exchange import explained
from holdfast.restore.media_place import MediaPlace, folder_at, media_place, mounts_within
from holdfast.restore.media_records import SwitchRecord, forget, switches, write_switch
from holdfast.values.duration import Duration


@dataclass(frozen=True, slots=True)
class ReplacedMedia:
    """A directory that was live until ``replaced_at`` and may be removed from ``keep_until`` on.

    ``restore_point``: the one that took its place, or, for one named ``….restored-…``, that it was restored from.
    ``is_being_removed``: it is not whole any more.
    """

    name: str
    path: Path
    restore_point: str
    replaced_at: datetime
    keep_until: datetime
    is_being_removed: bool


@dataclass(frozen=True, slots=True)
class MediaDropped:
    """What was removed, and what could not be, with reasons."""

    dropped: tuple[ReplacedMedia, ...]
    faults: tuple[str, ...]


def list_replaced_media(environment: Environment) -> tuple[ReplacedMedia, ...]:
    """All that switches have replaced and that is still there, in order of time; raises as ``media_place``."""
    place, keep = media_place(environment), environment.policy.restore.keep_replaced
    with place.opened(is_alone=False) as folder:
        found = [_replaced(place, record, keep) for record in _kept(folder, place)]
    return tuple(sorted(found, key=lambda replaced: replaced.replaced_at))


def drop_replaced_media(environment: Environment, *, now: datetime, older_than: Duration | None = None) -> MediaDropped:
    """Remove what was replaced longer ago than ``older_than``, the policy's restore.keep_replaced if not given.

    What was begun to be removed goes whatever its age. No link is followed, the live directory and whatever is not
    the very directory that was replaced are left; so are other file systems that are mounted in it.
    """
    place = media_place(environment)
    keep = environment.policy.restore.keep_replaced if older_than is None else older_than
    dropped, faults = [], []
    with place.opened() as folder:
        for record in _kept(folder, place):
            replaced = _replaced(place, record, keep)
            if now < replaced.keep_until and not record.is_being_removed:
                continue
            try:
                _remove(folder, place, record)
            except OSError as error:
                faults.append(f"{replaced.path}: {explained(error)}")
            except HoldfastError as error:
                faults.append(error.message)
            else:
                dropped.append(replaced)
        _forget_gone(folder, place, keep, now)
    return MediaDropped(tuple(dropped), tuple(faults))


def _kept(folder: int, place: MediaPlace) -> Iterator[SwitchRecord]:
    """The finished switches whose replaced directory stands under its name."""
    for record in switches(folder, place.name):
        if record.done_at is not None and record.old is not None and _inode(folder, record.kept_as) == record.old:
            yield record


def _inode(folder: int, name: str) -> int | None:
    try:
        status = folder_at(folder, name)
    except RestoreError:  # a link or a file: nothing that we kept
        return None
    return None if status is None else status.st_ino


def _replaced(place: MediaPlace, record: SwitchRecord, keep: Duration) -> ReplacedMedia:
    assert record.done_at is not None
    return ReplacedMedia(
        name=record.kept_as,
        path=place.path.parent / record.kept_as,
        restore_point=record.restore_point,
        replaced_at=record.done_at,
        keep_until=keep.after(record.done_at),
        is_being_removed=record.is_being_removed,
    )


def _remove(folder: int, place: MediaPlace, record: SwitchRecord) -> None:
    """First it is noted, so that nobody makes half a directory live again."""
    path = place.path.parent / record.kept_as
    place.parse_kept(record.kept_as)
    if record.old == _inode(folder, place.name):
        raise RestoreError(f"{path}: it is the live directory")
    mounts = mounts_within(path)
    if mounts:
        raise RestoreError(f"{path}: {mounts[0]} is a mount point: unmount it first")
    write_switch(folder, record.model_copy(update={"is_being_removed": True}))
    remove_tree(path)
    os.fsync(folder)
    forget(folder, record.kept_as)


def _forget_gone(folder: int, place: MediaPlace, keep: Duration, now: datetime) -> None:
    """Records of what somebody has removed by hand, or what replaced nothing."""
    for record in switches(folder, place.name):
        is_old = record.done_at is not None and keep.after(record.done_at) <= now
        if is_old and folder_at(folder, record.kept_as) is None:
            forget(folder, record.kept_as)

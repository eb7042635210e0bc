"""Switches the live media directory with what was restored beside it, and back: by renames that can be gone on with.

The record of a switch is written before the first rename, and tells by inode numbers how far a killed one came. The
live name always leads to the whole old directory or to the whole new one.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from holdfast.environment import Environment
from holdfast.errors import RestoreError, UsageError
from holdfast.restore.media_beside import count_entries
from holdfast.restore.media_exchange import exchange, explained, rename
from holdfast.restore.media_marks import take_marks
from holdfast.restore.media_place import MediaPlace, folder_at, hold, media_place
from holdfast.restore.media_records import SwitchRecord, forget, read_beside, read_switch, write_switch
from holdfast.restore.media_switch_progress import State, begun_back, demand_alone, demand_kept, free_name, state_of
from holdfast.values.ids import RestorePointId

_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


@dataclass(frozen=True, slots=True)
class MediaSwitched:
    """``kept``: where the replaced directory is now, None where there was none. ``was_done``: by an earlier run."""

    target: Path
    kept: Path | None
    switched_at: datetime
    was_done: bool


def media_switch_state(environment: Environment, point: RestorePointId, *, kept_as: str) -> State:
    """How far ``switch_media`` has come: "exchanged" has the restored media live, the replaced not yet renamed.

    Raises UsageError for media that are in no directory, RestoreError where neither can be said.
    """
    place = media_place(environment)
    _demand_name(place, point, kept_as)
    with place.opened(is_alone=False) as folder, _told(place):
        record = read_switch(folder, kept_as)
        return "not begun" if record is None else state_of(place, folder, record)


def switch_media(environment: Environment, point: RestorePointId, *, kept_as: str) -> MediaSwitched:
    """Make what ``restore_media_beside`` has restored of ``point`` live, and keep what was live as ``kept_as``.

    Goes on where an earlier run was killed. ``kept_as`` is a name of the plan's. Raises RestoreError, with the live
    directory as it was, where nothing whole is restored beside, or a rename is refused.
    """
    place, now = media_place(environment), environment.clock()
    _demand_name(place, point, kept_as)
    with place.opened() as folder, _told(place):
        record = read_switch(folder, kept_as)
        if record is None or state_of(place, folder, record) == "not begun":
            place.demand_possible()
            with _restored(place, folder, point) as restored:
                live = folder_at(folder, place.name)
                take_marks(restored, folder, place.name)
                record = _record(environment, point, folder, place, came_from=place.beside(point), kept_as=kept_as)
                demand_alone(place, folder, record)
                return _carry_out(place, folder, record, now, is_missing=live is None)
        return _carry_out(place, folder, record, now)


def media_switch_back_state(environment: Environment, kept_as: str) -> State:
    """How far ``switch_media_back`` has come, as ``media_switch_state`` tells it."""
    place = media_place(environment)
    place.parse_kept(kept_as)
    with place.opened(is_alone=False) as folder, _told(place):
        begun = begun_back(place, folder, kept_as)
        return "not begun" if begun is None else state_of(place, folder, begun)


def switch_media_back(environment: Environment, kept_as: str) -> MediaSwitched:
    """Make the kept directory ``kept_as`` live again; what was live is kept as ``<name>.restored-…`` in its turn.

    Goes on where an earlier run was killed. Raises UsageError for a name that is none of ours, RestoreError where
    nothing of that name was kept, or it is being removed.
    """
    place, now = media_place(environment), environment.clock()
    word, point = place.parse_kept(kept_as)
    with place.opened() as folder, _told(place):
        begun = begun_back(place, folder, kept_as)
        if begun is not None:
            return _carry_out(place, folder, begun, now)
        live, here = folder_at(folder, place.name), folder_at(folder, kept_as)
        demand_kept(place, folder, kept_as, here)
        place.demand_possible()
        name = free_name(folder, place, "restored" if word == "before" else "before", point)
        record = _record(environment, point, folder, place, came_from=kept_as, kept_as=name)
        demand_alone(place, folder, record)
        return _carry_out(place, folder, record, now, is_missing=live is None)


def _demand_name(place: MediaPlace, point: RestorePointId, kept_as: str) -> None:
    word, of_point = place.parse_kept(kept_as)
    if word != "before" or of_point != point:
        raise UsageError(f"kept media {kept_as!r}: not a name for what {point} replaces")


@contextmanager
def _restored(place: MediaPlace, folder: int, point: RestorePointId) -> Iterator[int]:
    """What was restored beside, opened and held; raises RestoreError where it is not whole, or not ours."""
    beside = place.beside(point)
    again = "Run the restore beside again."
    status, record = folder_at(folder, beside), read_beside(folder, beside)
    if status is None or record is None:
        raise RestoreError(f"media {place.path}: nothing of {point} is restored beside", hint=again)
    if status.st_ino != record.inode:
        raise RestoreError(f"{place.path.parent / beside}: it is not the directory that was restored", hint=again)
    if not record.is_complete or record.entries != count_entries(place.path.parent / beside):
        raise RestoreError(f"{place.path.parent / beside}: it is not wholly restored", hint=again)
    opened = os.open(beside, _FOLDER, dir_fd=folder)
    try:
        hold(opened, place.path.parent / beside)
        yield opened
    finally:
        os.close(opened)


def _record(
    environment: Environment,
    point: RestorePointId,
    folder: int,
    place: MediaPlace,
    *,
    came_from: str,
    kept_as: str,
) -> SwitchRecord:
    """Who is who before the first rename."""
    live, new = folder_at(folder, place.name), folder_at(folder, came_from)
    assert new is not None
    if folder_at(folder, kept_as) is not None:
        raise RestoreError(f"{place.path.parent / kept_as}: the name is taken", hint="Plan again.")
    return SwitchRecord(
        app=environment.app,
        environment=environment.name,
        restore_point=str(point),
        came_from=came_from,
        new=new.st_ino,
        old=None if live is None else live.st_ino,
        kept_as=kept_as,
        begun_at=environment.clock(),
    )


def _carry_out(
    place: MediaPlace, folder: int, record: SwitchRecord, now: datetime, *, is_missing: bool | None = None
) -> MediaSwitched:
    """From wherever it stands to its end; ``is_missing`` is None for one that an earlier run began."""
    was_done = record.done_at is not None
    if is_missing is not None:
        write_switch(folder, record)
        (rename if is_missing else exchange)(folder, record.came_from, place.name)
        os.fsync(folder)
    if state_of(place, folder, record) == "exchanged":
        rename(folder, record.came_from, record.kept_as)
        os.fsync(folder)
    if record.done_at is None:
        forget(folder, record.came_from)
        record = record.model_copy(update={"done_at": now})
        write_switch(folder, record)
    kept = None if record.old is None else place.path.parent / record.kept_as
    assert record.done_at is not None
    return MediaSwitched(place.path, kept, record.done_at, was_done)


@contextmanager
def _told(place: MediaPlace) -> Iterator[None]:
    """What the system refuses, as an error that says where."""
    try:
        yield
    except OSError as error:
        raise RestoreError(
            f"media {place.path}: cannot be switched: {explained(error)}",
            hint="The live directory is whole, old or new. Mend the cause and run the same again: it goes on.",
        ) from error

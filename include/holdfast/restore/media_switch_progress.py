"""How far a switch of the live directory has come, told by inode numbers, and what must not be begun meanwhile."""

from __future__ import annotations

import os
from typing import Literal

from holdfast.errors import RestoreError
from holdfast.restore.media_files import found
from holdfast.restore.media_place import MediaPlace, folder_at
from holdfast.restore.media_records import SwitchRecord, read_switch, switches
from holdfast.values.ids import RestorePointId

State = Literal["not begun", "exchanged", "done"]


def state_of(place: MediaPlace, folder: int, record: SwitchRecord) -> State:
    """How far a switch has come; raises RestoreError where somebody else has renamed meanwhile."""
    if record.done_at is not None:
        return "done"
    live, came_from, kept = (
        None if status is None else status.st_ino
        for status in (folder_at(folder, name) for name in (place.name, record.came_from, record.kept_as))
    )
    if record.old is not None and kept == record.old:
        return "done"
    if live == record.new:
        if record.old is None:
            return "done"
        if came_from == record.old and kept is None:
            return "exchanged"
    elif kept is None and (record.old is None or came_from != record.old):
        return "not begun"
    raise RestoreError(
        f"media {place.path}: a switch of {record.begun_at:%Y-%m-%d %H:%M:%S} UTC was interrupted, and somebody has "
        f"renamed since: {place.name} is inode {live}, {record.came_from} {came_from}, {record.kept_as} {kept}; "
        f"the old directory was inode {record.old}, the new one is {record.new}",
        hint=f"Nothing was changed. Find both by `ls -di`, give them their names, and run it again in "
        f"{place.path.parent}.",
    )


def free_name(folder: int, place: MediaPlace, word: str, point: RestorePointId) -> str:
    """A name for what is replaced that neither a directory nor a finished switch has."""
    number = 1
    while True:
        name = place.kept(word, point, number)
        record = read_switch(folder, name)
        is_free = record is None or record.done_at is None
        if is_free and found(folder, os.fsencode(name)) is None:
            return name
        if record is not None and record.done_at is None and state_of(place, folder, record) != "not begun":
            return name  # its own switch goes on with it
        number += 1


def begun_back(place: MediaPlace, folder: int, kept_as: str) -> SwitchRecord | None:
    """The switch that has made ``kept_as`` live, or is about to; None where that is still to be begun."""
    live, here = folder_at(folder, place.name), folder_at(folder, kept_as)
    for record in switches(folder, place.name):
        if record.came_from != kept_as:
            continue
        if record.done_at is None and state_of(place, folder, record) != "not begun":
            return record
        if here is None and live is not None and record.done_at is not None and record.new == live.st_ino:
            return record
    return None


def demand_kept(place: MediaPlace, folder: int, kept_as: str, here: os.stat_result | None) -> None:
    """Raise RestoreError unless ``here`` is the directory that a finished switch keeps under that name."""
    record, title = read_switch(folder, kept_as), f"kept media {place.path.parent / kept_as}"
    if here is None or record is None:
        raise RestoreError(f"{title}: nothing of that name was kept", hint="It may have been removed in its time.")
    if record.is_being_removed:
        raise RestoreError(f"{title}: it is being removed, and not whole any more")
    if record.done_at is None:
        raise RestoreError(f"{title}: the switch that keeps it was interrupted", hint="Finish that switch first.")
    if record.old != here.st_ino:
        raise RestoreError(f"{title}: it is not the directory that was kept", hint="Find out who renamed it.")


def demand_alone(place: MediaPlace, folder: int, record: SwitchRecord) -> None:
    """No other switch may stand between its two renames: it could not be told any more what is what."""
    for other in switches(folder, place.name):
        is_other = other.kept_as != record.kept_as
        if is_other and other.done_at is None and state_of(place, folder, other) == "exchanged":
            raise RestoreError(
                f"media {place.path}: the switch that keeps {other.kept_as} was interrupted",
                hint="Run that one again, it goes on where it was; then this one.",
            )

"""What is written down beside the live directory of a restore and a switch, so that a rerun knows how far they came.

Directories are told apart by their inode numbers, all in one file system. The records are not signed: whoever may
change them may rename the directories as well. One that another user wrote is refused.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from contextlib import suppress
from datetime import datetime
from typing import Literal

from pydantic import ValidationError

from holdfast.errors import RestoreError
from holdfast.manifest.model import Record

_ENDING = ".switch.json"
_READ = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_LIMIT_BYTES = 1 << 16


class BesideRecord(Record):
    """What is restored beside. ``files`` and ``bytes`` are of the snapshot; complete: each file was checked.

    ``entries`` is what lay in it then, folders not counted: an inode number is soon given to another directory.
    """

    format: Literal["holdfast-media-beside/1"] = "holdfast-media-beside/1"
    app: str
    environment: str
    restore_point: str
    snapshot: str
    inode: int
    files: int
    bytes: int
    entries: int = 0
    is_complete: bool = False


class SwitchRecord(Record):
    """One switch of the live directory, and what is kept of it.

    What stood under ``came_from`` has inode ``new``; the live directory had ``old``, None where there was none, and
    is kept as ``kept_as``. ``done_at`` is None until it is.
    """

    format: Literal["holdfast-media-switch/1"] = "holdfast-media-switch/1"
    app: str
    environment: str
    restore_point: str
    came_from: str
    new: int
    old: int | None
    kept_as: str
    begun_at: datetime
    done_at: datetime | None = None
    is_being_removed: bool = False


def read_beside(folder: int, beside: str) -> BesideRecord | None:
    """What is known of the directory ``beside``; None where nothing is."""
    return _read(folder, _beside_file(beside), BesideRecord)


def write_beside(folder: int, beside: str, record: BesideRecord) -> None:
    """Put it down durably."""
    _write(folder, _beside_file(beside), record)


def read_switch(folder: int, kept_as: str) -> SwitchRecord | None:
    """The switch that keeps the replaced directory as ``kept_as``; None where none was begun."""
    record = _read(folder, _switch_file(kept_as), SwitchRecord)
    if record is not None and record.kept_as != kept_as:
        raise RestoreError(f"{_switch_file(kept_as)}: it is of {record.kept_as}", hint="It was renamed: undo that.")
    return record


def write_switch(folder: int, record: SwitchRecord) -> None:
    """Put it down durably."""
    _write(folder, _switch_file(record.kept_as), record)


def switches(folder: int, live: str) -> Iterator[SwitchRecord]:
    """All switches of the live directory of that name, in order of their names; those that cannot be read are left."""
    begin = (f".{live}.before-", f".{live}.restored-")
    for file in sorted(os.listdir(folder)):
        if file.startswith(begin) and file.endswith(_ENDING):
            with suppress(RestoreError):
                record = read_switch(folder, file[1 : -len(_ENDING)])
                if record is not None:
                    yield record


def forget(folder: int, name: str) -> None:
    """Remove the records of a directory that has gone from this name."""
    for file in (_beside_file(name), _switch_file(name)):
        with suppress(FileNotFoundError):
            os.unlink(file, dir_fd=folder)


def _beside_file(beside: str) -> str:
    return f"{beside}.begun.json"


def _switch_file(kept_as: str) -> str:
    return f".{kept_as}{_ENDING}"


def _read[Kind: (BesideRecord, SwitchRecord)](folder: int, file: str, kind: type[Kind]) -> Kind | None:
    try:
        descriptor = os.open(file, _READ, dir_fd=folder)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise RestoreError(f"{file}: {(error.strerror or str(error)).lower()}", hint=_WHOSE) from error
    try:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode) or status.st_uid != os.geteuid() or status.st_mode & 0o022:
            raise RestoreError(f"{file}: it is not ours, or others may write it", hint=_WHOSE)
        return kind.model_validate_json(os.pread(descriptor, _LIMIT_BYTES, 0))
    except ValidationError as error:
        raise RestoreError(f"{file}: it is malformed", hint=_WHOSE) from error
    finally:
        os.close(descriptor)


_WHOSE = "Find out who put it there, and remove it."


def _write(folder: int, file: str, record: Record) -> None:
    draft = f"{file}.new"
    with suppress(FileNotFoundError):
        os.unlink(draft, dir_fd=folder)
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    descriptor = os.open(draft, flags, 0o600, dir_fd=folder)
    with os.fdopen(descriptor, "wb") as opened:
        opened.write(record.encode())
        opened.flush()
        os.fsync(opened.fileno())
    os.rename(draft, file, src_dir_fd=folder, dst_dir_fd=folder)
    os.fsync(folder)

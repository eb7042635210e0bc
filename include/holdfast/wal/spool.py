"""The spool: private folders in which receivers leave WAL, one for each receiver, until it is in the store."""

from __future__ import annotations

import fcntl
import os
import secrets
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from pydantic import ValidationError

from holdfast.errors import PermanentError, TransientError
from holdfast.manifest.model import Record
from holdfast.values.wal_names import WalSegment, is_segment_name, parse_history_name

_PARTIAL = ".partial"
_ABOUT = "about.json"
_BOOT = Path("/proc/sys/kernel/random/boot_id")


class _About(Record):
    owner: str
    system_identifier: str
    segment_bytes: int
    server_version_num: int
    boot: str


@dataclass(frozen=True, slots=True)
class Intake:
    """The folder of one receiver: whole segments, the open one, history files; and what they are of."""

    folder: Path
    system_identifier: str
    segment_bytes: int
    server_version_num: int

    def seed(self, first: WalSegment) -> None:
        """Make a receiver begin with ``first``: it goes on with the newest segment in its folder that is open.

        Source: PostgreSQL, pg_receivewal.c, FindStreamingStart. (One named as whole would do for all but segment 1.)
        """
        try:
            (self.folder / f"{first}{_PARTIAL}").touch(0o600)
        except OSError as error:
            raise TransientError(f"spool {self.folder}: cannot be written: {error.strerror}") from error

    def segments(self) -> list[WalSegment]:
        """The whole segments, in the order in which they came."""
        names = sorted(name for name in self._names() if is_segment_name(name))
        return [WalSegment.parse(name, self.segment_bytes) for name in names]

    def open_segments(self) -> list[WalSegment]:
        """Those that are not whole: the one being received last, before it those that end with their timeline."""
        names = sorted(name.removesuffix(_PARTIAL) for name in self._names() if name.endswith(_PARTIAL))
        return [WalSegment.parse(name, self.segment_bytes) for name in names if is_segment_name(name)]

    def histories(self) -> list[int]:
        """The timelines whose history files are there."""
        found = (parse_history_name(name) for name in self._names())
        return sorted(timeline for timeline in found if timeline is not None)

    def path(self, name: str) -> Path:
        """Where a whole segment or a history file lies."""
        return self.folder / name

    def open_path(self, segment: WalSegment) -> Path:
        """Where an open segment lies."""
        return self.folder / f"{segment}{_PARTIAL}"

    def remove(self) -> None:
        """Remove it with all that is left in it."""
        shutil.rmtree(self.folder, ignore_errors=True)

    def _names(self) -> list[str]:
        try:
            return [path.name for path in self.folder.iterdir()]
        except FileNotFoundError:
            return []


class Spool:
    """A folder of ours alone, 0700, which one process uses at a time; ``owner`` says where what is in it belongs."""

    def __init__(self, folder: Path, owner: str) -> None:
        self.folder = folder
        self._owner = owner
        self._lock = -1

    def __enter__(self) -> Self:
        """Make it where there is none, and take it; raises PermanentError where it is somebody else's."""
        try:
            self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            found = os.open(self.folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
        except OSError as error:
            raise PermanentError(f"spool {self.folder}: cannot be used: {error.strerror}") from error
        status = os.fstat(found)
        if status.st_uid != os.geteuid() or status.st_mode & 0o077:
            os.close(found)
            raise PermanentError(
                f"spool {self.folder}: it does not belong to this user alone, and WAL would lie in it unencrypted",
                hint="Name another folder with --spool, or take the rights of others from this one (chmod 700).",
            )
        try:
            fcntl.flock(found, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(found)
            raise PermanentError(
                f"spool {self.folder}: another process of this machine streams into it",
                hint="End that one, or name another folder with --spool.",
            ) from None
        self._lock = found
        return self

    def __exit__(self, *exception: object) -> None:
        os.close(self._lock)

    def intake(self, system_identifier: str, segment_bytes: int, server_version_num: int) -> Intake:
        """A new folder for one receiver."""
        made = [int(path.name) for path in self.folder.glob("[0-9]*") if path.name.isdecimal()]
        folder = self.folder / f"{max(made, default=0) + 1:06}"
        about = _About(
            owner=self._owner,
            system_identifier=system_identifier,
            segment_bytes=segment_bytes,
            server_version_num=server_version_num,
            boot=_boot(),
        )
        try:
            # A spool may be removed while it is in use.
            folder.mkdir(mode=0o700, parents=True)
            (folder / _ABOUT).write_text(about.model_dump_json())
        except OSError as error:
            raise TransientError(f"spool {folder}: cannot be written: {error.strerror}") from error
        return Intake(folder, system_identifier, segment_bytes, server_version_num)

    def leftovers(self) -> list[Intake]:
        """What earlier processes left, oldest first; what may have been torn by a fall of the machine is removed.

        What belongs elsewhere is left alone. Receivers do not flush, so that after a restart of the machine a file may
        have its name and size without its content.
        """
        found = []
        for folder in sorted(path for path in self.folder.glob("[0-9]*") if path.name.isdecimal()):
            try:
                about = _About.model_validate_json((folder / _ABOUT).read_bytes())
            except (OSError, ValidationError):
                about = None
            if about is None or about.boot != _boot():
                shutil.rmtree(folder, ignore_errors=True)
            elif about.owner == self._owner:
                found.append(Intake(folder, about.system_identifier, about.segment_bytes, about.server_version_num))
        return found


def _boot() -> str:
    try:
        return _BOOT.read_text(encoding="ascii").strip()
    except OSError:
        # Equal to none: then nothing that is left over is trusted.
        return secrets.token_hex(8)

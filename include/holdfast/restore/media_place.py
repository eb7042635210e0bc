"""The live media directory: where it really lies, what stands beside it, and why it could not be switched."""

from __future__ import annotations

import fcntl
import os
import re
import stat
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote, urlsplit

from holdfast.environment import Environment
from holdfast.errors import RestoreError, UsageError
from holdfast.restore.media_files import found
from holdfast.values.ids import RestorePointId

_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
_ESCAPED = re.compile(rb"\\([0-7]{3})")
_LONGEST_NAME = 255
_ENDING_BYTES = 64 + 32  # of the longest restore point's id, and of what else stands around the name
_PATIENCE_S = 10.0


@dataclass(frozen=True, slots=True)
class MediaPlace:
    """``path``: the directory itself, links followed; ``named``: as the policy has it."""

    title: str
    named: Path
    path: Path

    @property
    def name(self) -> str:
        """Its name in the folder that it lies in."""
        return self.path.name

    def beside(self, point: RestorePointId) -> str:
        """The hidden name of what is restored beside it."""
        return f".{self.name}.restored-{point}"

    def kept(self, word: str, point: RestorePointId, number: int = 1) -> str:
        """The name of what was replaced: ``word`` is "before" or "restored"."""
        return f"{self.name}.{word}-{point}" + (f"-{number}" if number > 1 else "")

    def parse_kept(self, name: str) -> tuple[str, RestorePointId]:
        """(word, restore point) of a name that ``kept`` has made; raises UsageError for any other."""
        begin = re.escape(self.name)
        parts = re.fullmatch(rf"{begin}\.(before|restored)-(.+?-[0-9a-f]{{6}})(?:-[1-9][0-9]*)?", name)
        point = None if parts is None else RestorePointId.recognised(parts[2])
        if parts is None or point is None:
            raise UsageError(f"kept media {name!r}: not of the form {self.name}.before-20261122T020000Z-nightly-4f9c2a")
        return parts[1], point

    @contextmanager
    def opened(self, *, is_alone: bool = True) -> Iterator[int]:
        """The folder that it lies in, held by this process alone unless it only looks; raises RestoreError."""
        try:
            folder = os.open(self.path.parent, _FOLDER)
        except OSError as error:
            raise RestoreError(f"{self.path.parent}: {_reason(error)}") from error
        try:
            if is_alone:
                hold(folder, self.path.parent)
            yield folder
        finally:
            os.close(folder)

    def faults(self) -> tuple[str, ...]:
        """Why it can be neither restored beside nor switched, each with what to do instead."""
        return tuple(self._faults())

    def demand_possible(self) -> None:
        """Raise RestoreError with all faults."""
        faults = self.faults()
        if faults:
            raise RestoreError(f"media {self.path}: {'; '.join(faults)}", hint="Nothing was changed.")

    def _faults(self) -> Iterator[str]:
        parent = self.path.parent
        if self.path == parent:
            yield "it is the root of all file systems: put the media into a directory of their own"
            return
        if not parent.is_dir():
            yield f"{parent} is no directory on this host: run this where the media lie, and is it mounted?"
            return
        if len(os.fsencode(self.name)) + _ENDING_BYTES > _LONGEST_NAME:
            yield "its name is too long to have a restore point's id behind it: rename it in application and policy"
        here = self.path.stat() if self.path.exists() else None
        if here is not None and not stat.S_ISDIR(here.st_mode):
            yield "it is no directory: what is it, and is media.source in the policy right?"
        yield from self._mounts(here)
        yield from self._rights(here)

    def _mounts(self, here: os.stat_result | None) -> Iterator[str]:
        instead = "move the media into a directory below it and name that in application and policy, or restore into "
        instead += "another folder (`holdfast media restore`) and copy what is missing"
        mounts = mounts_within(self.path)
        if self.path in mounts:
            yield f"it is a mount point, which cannot be renamed: {instead}"
        elif mounts:
            yield f"{mounts[0]} in it is a mount point, which would stay with the replaced directory: unmount it first"
        elif here is not None and here.st_dev != self.path.parent.stat().st_dev:
            yield f"it is a file system of its own, another than {self.path.parent}'s: {instead}"

    def _rights(self, here: os.stat_result | None) -> Iterator[str]:
        parent, user = self.path.parent, os.geteuid()
        if os.statvfs(parent).f_flag & os.ST_RDONLY:
            yield f"the file system of {parent} is read-only: mount it for writing"
        elif not os.access(parent, os.R_OK | os.W_OK | os.X_OK, effective_ids=True):
            yield f"this user may not write into {parent}: run this as the owner of {parent} or as root"
        if here is not None and user not in (0, here.st_uid):
            yield (
                f"it belongs to user {here.st_uid}, and user {user} cannot give files away: "
                f"run this as user {here.st_uid} or as root"
            )


def media_place(environment: Environment) -> MediaPlace:
    """Where the policy's media lie; raises UsageError where they are in a bucket, or nowhere."""
    fault = place_fault(environment)
    if fault is not None:
        raise UsageError(f"media of {environment.title}: {fault}")
    media = environment.policy.media
    assert media is not None
    named = Path(unquote(urlsplit(media.source).path))
    return MediaPlace(environment.title, named, named.resolve())


def place_fault(environment: Environment) -> str | None:
    """Why there is no directory that could be switched."""
    media = environment.policy.media
    if media is None:
        return "the policy has no media section: name media.source, or restore the database alone"
    if not media.source.startswith("file://"):
        return (
            f"{media.source} is a bucket, which no rename can switch: restore into a folder (`holdfast media restore`) "
            "and copy what is missing into the bucket, or bring back its own former versions"
        )
    return None


def mounts_within(path: Path) -> list[Path]:
    """The mount points at or below a folder, in order, as this process sees them."""
    with open("/proc/self/mountinfo", "rb") as lines:  # noqa: PTH123
        points = [_ESCAPED.sub(lambda code: bytes([int(code[1], 8)]), line.split(b" ")[4]) for line in lines]
    return sorted(point for point in map(Path, map(os.fsdecode, points)) if point.is_relative_to(path))


def hold(folder: int, path: Path) -> None:
    """Have an open folder for this process alone until it is closed; raises RestoreError where another keeps it."""
    deadline = time.monotonic() + _PATIENCE_S
    while True:
        try:
            fcntl.flock(folder, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            if time.monotonic() < deadline:
                time.sleep(0.05)
                continue
            raise RestoreError(
                f"{path}: another restore is at work there", hint="Wait for its end, then try again."
            ) from error
        except OSError as error:
            raise RestoreError(f"{path}: cannot be locked: {_reason(error)}") from error
        return


def folder_at(folder: int, name: str) -> os.stat_result | None:
    """The directory of that name, None where nothing stands; raises RestoreError for a link or a file."""
    status = found(folder, os.fsencode(name))
    if status is not None and not stat.S_ISDIR(status.st_mode):
        what = "a symbolic link, which is never followed" if stat.S_ISLNK(status.st_mode) else "no directory"
        raise RestoreError(f"{name}: it is {what}", hint="Find out who put it there, and remove it.")
    return status


def _reason(error: OSError) -> str:
    return (error.strerror or str(error)).lower()

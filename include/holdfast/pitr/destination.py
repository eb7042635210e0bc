"""The data directory to be: empty or new, ours alone, and marked until all of it is there."""

from __future__ import annotations

import fcntl
import os
import pwd
import shutil
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote, urlsplit

from holdfast.environment import Environment
from holdfast.errors import PermanentError, RestoreError, TransientError, UsageError
from holdfast.policy.places import refuse_inside
from holdfast.recovery.account import Account, server_account
from holdfast.recovery.clearing import remove_tree
from holdfast.recovery.orphans import end_all_in

MARK = "holdfast-recovery-unfinished"
WORK = "holdfast-recovery"
_TEXT = """\
A point-in-time recovery was begun here and has not finished: this is no whole cluster, do not start it.
`holdfast recover` with the same --data-dir empties this directory and begins anew; or remove it.
"""
_SPARE = 1.1


@dataclass(frozen=True, slots=True)
class Destination:
    """A data directory of ``account``; ``work`` in it holds all that a recovery needs meanwhile."""

    path: Path
    account: Account

    @property
    def mark(self) -> Path:
        """The file that says that it is not finished; whoever recovers holds a lock on it."""
        return self.path / MARK

    @property
    def work(self) -> Path:
        """The folder of pieces, configuration and WAL to be replayed; gone in the end."""
        return self.path / WORK

    def demand_room(self, needed_bytes: int) -> None:
        """Raise TransientError where its file system has less than ``needed_bytes`` and a tenth."""
        free = shutil.disk_usage(self.path).free
        if free < needed_bytes * _SPARE:
            raise TransientError(
                f"data directory {self.path}: {free} bytes are free, {round(needed_bytes * _SPARE)} are needed",
                hint="Make room, or name a directory on a larger disk.",
            )

    def empty(self) -> None:
        """Remove all but the mark, and make the work folder anew. Raises RestoreError where a server will not end."""
        names = [entry.name for entry in os.scandir(self.path) if entry.name not in (MARK, "lost+found")]
        if names:
            try:
                end_all_in([self.path])
            except PermanentError as error:
                raise RestoreError(f"data directory {self.path}: {error.message}") from error
        for name in names:
            remove_tree(self.path / name)
        self.account.make_folder(self.work)

    def advice(self) -> str:
        """What to do with it after a recovery that failed."""
        return f"{self.path} is no whole cluster: run the same command again, which empties it, or remove it."

    def release(self) -> None:
        """Take the mark off: it is a whole cluster now."""
        self.mark.unlink(missing_ok=True)
        descriptor = os.open(self.path, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


@contextmanager
def opened_destination(
    environment: Environment, path: Path, *, account: Account | None = None
) -> Iterator[Destination]:
    """The directory, made or found empty, marked and held by this process alone.

    What an earlier recovery left in it half done is removed first. ``account``: whose it becomes where we are root;
    by default its present owner's, or the server account's. Raises UsageError for a directory that holds anything
    else, or that lies where backups or the application's own files do.
    """
    path = path.absolute()
    _refuse_place(environment, path)
    existed = path.is_dir()
    owner = account or _owner_of(path)
    _demand_free(path)
    try:
        owner.make_folder(path)
        destination = Destination(path.resolve(), owner)
        held = _hold(destination)
    except OSError as error:
        raise UsageError(f"data directory {path}: {(error.strerror or str(error)).lower()}") from error
    try:
        destination.empty()  # of a recovery that died, the server may still be shutting down
        yield destination
    finally:
        os.close(held)
        if not existed and destination.mark.exists() and not destination.work.exists():
            with suppress(OSError):
                destination.mark.unlink()
                path.rmdir()


def _refuse_place(environment: Environment, path: Path) -> None:
    """Decrypted data lies neither in the store nor among what the application serves, nor they in it."""
    policy = environment.policy
    places = [policy.release_dir, *(part.app_dir for part in (policy.drill, policy.migration) if part is not None)]
    if policy.media is not None:
        places.append(policy.media.source)
    places.append(policy.store.url)
    for place in filter(None, places):
        try:
            refuse_inside(str(path), [place])
            if urlsplit(place).scheme in ("", "file"):
                refuse_inside(unquote(urlsplit(place).path), [str(path)])
        except ValueError:
            raise UsageError(
                f"data directory {path}: it lies in {place}, or that in it",
                hint="Name a new directory outside of the store and of the application's own files.",
            ) from None


def _owner_of(path: Path) -> Account:
    """Who owns the directory already shall own the cluster; PostgreSQL refuses root."""
    found = path.stat() if path.is_dir() else None
    if found is None or os.geteuid() != 0 or found.st_uid == 0:
        return server_account()
    try:
        entry = pwd.getpwuid(found.st_uid)
    except KeyError:
        return server_account()
    return Account(entry.pw_name, entry.pw_uid, entry.pw_gid)


def _demand_free(path: Path) -> None:
    if not os.path.lexists(path):
        return
    if not path.is_dir():
        raise UsageError(f"data directory {path}: is not a directory")
    names = {entry.name for entry in os.scandir(path)}
    if names <= {"lost+found"} or _is_ours(path / MARK):
        return
    shown = ", ".join(sorted(names)[:3])
    raise UsageError(
        f"data directory {path}: is not empty: {shown}{', …' if len(names) > 3 else ''}",
        hint="Name a directory that does not exist yet: a recovery never writes over anything.",
    )


def _is_ours(mark: Path) -> bool:
    with suppress(OSError):
        found = mark.lstat()
        return stat.S_ISREG(found.st_mode) and found.st_uid == os.geteuid()
    return False


def _hold(destination: Destination) -> int:
    """The lock goes with the process that holds it, however it ends."""
    flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
    descriptor = os.open(destination.mark, flags, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        raise UsageError(
            f"data directory {destination.path}: another recovery is at work in it",
            hint="Wait for it, end it, or name another directory.",
        ) from None
    os.ftruncate(descriptor, 0)
    os.write(descriptor, _TEXT.encode())
    os.fsync(descriptor)
    return descriptor

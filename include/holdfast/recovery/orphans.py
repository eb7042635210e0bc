"""What a killed PostgreSQL leaves behind in its data directory, and how it is cleared away safely."""

from __future__ import annotations

import os
import signal
import stat
import time
from collections.abc import Iterable, Sequence
from contextlib import suppress
from pathlib import Path

from holdfast.errors import PermanentError

_PATIENCE_S = 10.0
# PostgreSQL's fast and immediate shutdowns; every other program heeds the last.
_ENDINGS = ((signal.SIGINT, 5.0), (signal.SIGQUIT, 5.0), (signal.SIGKILL, 30.0))


def clear_leftovers(data: Path) -> None:
    """Remove the lock of a dead server, so that a process that got its number by chance does not stop a start.

    Server processes work in their data directory, which tells them from those of any other cluster.
    Raises PermanentError when a server is alive in ``data``.
    """
    lock = data / "postmaster.pid"
    with suppress(FileNotFoundError):
        lock.lstat()
        pid = next(iter(read_lines(lock)), "")
        if pid.isdecimal() and int(pid) in _at_work_in(data):
            raise PermanentError(
                f"PostgreSQL in {data}: is already running as process {pid}",
                hint="Stop the other run first.",
            )
        _await_orphans(data)
        lock.unlink()


def end_all_in(folders: Iterable[Path]) -> None:
    """End every process that works in one of ``folders``, or on one that its command line names: initdb.

    For who knows that their owner is dead. Raises PermanentError for processes that cannot be ended.
    """
    there = [folder for folder in folders if folder.is_dir()]
    for number, patience_s in _ENDINGS:
        deadline = time.monotonic() + patience_s
        asked: set[int] = set()
        while alive := {pid for folder in there for pid in _at_work_in(folder) | _named(folder)} - {os.getpid()}:
            for pid in alive - asked:
                with suppress(ProcessLookupError):
                    os.kill(pid, number)
            asked |= alive
            if time.monotonic() > deadline:
                break
            time.sleep(0.02)
        else:
            return
    raise PermanentError(f"processes {sorted(alive)} in {there[0]}: cannot be ended")


def read_lines(lock: Path) -> list[str]:
    """The lines of a server's lock file; none where there is no such file, or something else in its place.

    What was restored may write into the data directory: a pipe there must not keep us waiting.
    """
    try:
        descriptor = os.open(lock, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError:
        return []
    with os.fdopen(descriptor, "rb") as file:
        return os.pread(descriptor, 4096, 0).decode(errors="replace").splitlines() if _is_file(file.fileno()) else []


def is_ready(lock: Sequence[str]) -> bool:
    """Does the server whose lock file has these lines take connections, recovering or not?

    The eighth line says how far it is (source: PostgreSQL, miscadmin.h).
    """
    return len(lock) > 7 and lock[7].strip() == "ready"


def _is_file(descriptor: int) -> bool:
    return stat.S_ISREG(os.fstat(descriptor).st_mode)


def _await_orphans(data: Path) -> None:
    """Sessions of a killed postmaster notice and end by themselves, except amid a long statement."""
    deadline = time.monotonic() + _PATIENCE_S
    while orphans := _at_work_in(data):
        if time.monotonic() > deadline:
            for pid in orphans:
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGQUIT)
            deadline += _PATIENCE_S
        time.sleep(0.05)


def _named(folder: Path) -> set[int]:
    found = set()
    wanted = os.fsencode(folder)
    for process in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            if wanted in (process / "cmdline").read_bytes().split(b"\0"):
                found.add(int(process.name))
    return found


def _at_work_in(data: Path) -> set[int]:
    found = set()
    wanted = data.stat()
    for process in Path("/proc").iterdir():
        with suppress(OSError):
            here = (process / "cwd").stat() if process.name.isdigit() else None
            if here is not None and (here.st_dev, here.st_ino) == (wanted.st_dev, wanted.st_ino):
                found.add(int(process.name))
    return found

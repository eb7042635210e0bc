"""What a killed PostgreSQL leaves behind in its data directory, and how it is cleared away safely."""

from __future__ import annotations

import os
import signal
import time
from contextlib import suppress
from pathlib import Path

from holdfast.errors import PermanentError

_PATIENCE_S = 10.0


def clear_leftovers(data: Path) -> None:
    """Remove the lock of a dead server, so that a process that got its number by chance does not stop a start.

    Server processes work in their data directory, which tells them from those of any other cluster.
    Raises PermanentError when a server is alive in ``data``.
    """
    lock = data / "postmaster.pid"
    with suppress(FileNotFoundError):
        pid = int(lock.read_text().split("\n", 1)[0])
        if pid in _at_work_in(data):
            raise PermanentError(
                f"PostgreSQL in {data}: is already running as process {pid}",
                hint="Stop the other run first.",
            )
        _await_orphans(data)
        lock.unlink()


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


def _at_work_in(data: Path) -> set[int]:
    found = set()
    wanted = data.stat()
    for process in Path("/proc").iterdir():
        with suppress(OSError):
            here = (process / "cwd").stat() if process.name.isdigit() else None
            if here is not None and (here.st_dev, here.st_ino) == (wanted.st_dev, wanted.st_ino):
                found.add(int(process.name))
    return found

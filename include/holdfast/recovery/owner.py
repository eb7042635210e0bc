"""The process that a recovery environment ends with, for drills that live in one process: known dead at once."""

from __future__ import annotations

import os
from pathlib import Path

from holdfast.recovery.place import Place, boot_id, host_id

OWNER = "owner"


def write_owner(place: Place) -> None:
    """This process owns the environment from now on; nobody needs it once the process is gone."""
    (place.folder / OWNER).write_text(_told(os.getpid()))


def has_lost_owner(place: Place) -> bool | None:
    """Is the process gone that it belonged to? None where it belongs to none, or to one of another host."""
    try:
        told = (place.folder / OWNER).read_text()
        host, boot, pid, _ = told.splitlines()
    except (OSError, ValueError):
        return None
    if host != host_id():
        return None
    return boot != boot_id() or not pid.isdecimal() or _told(int(pid)) != told


def _told(pid: int) -> str:
    """A process id alone may be another process's by now: the moment of its start tells them apart."""
    return f"{host_id()}\n{boot_id()}\n{pid}\n{_started(pid)}\n"


def _started(pid: int) -> str:
    """Field 22 of /proc/PID/stat (proc(5)); the second one, a name in brackets, may hold spaces."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19]
    except (OSError, IndexError):
        return "gone"

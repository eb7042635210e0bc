"""Brings a finished data directory to the disk, all at once where the kernel can be trusted to tell of a failure."""

from __future__ import annotations

import ctypes
import os
import re

from holdfast.errors import RestoreError, TransientError
from holdfast.pitr.destination import Destination
from holdfast.pitr.programs import Programs
from holdfast.process.child import ChildFailed

# Before, a failed write was not told to who asked for the whole file system (syncfs(2)).
_TELLING_KERNEL = (5, 8)


def sync(destination: Destination, programs: Programs) -> None:
    """Returns when every byte is durable. Raises TransientError where the disk fails, RestoreError otherwise."""
    if _kernel() >= _TELLING_KERNEL:
        _sync_file_system(destination)
        return
    ran = programs.run(destination, "initdb", "--sync-only", f"--pgdata={destination.path}")
    if ran.status:
        raise RestoreError(f"data directory {destination.path}: {ChildFailed.of('initdb', ran.status, ran.stderr)}")


def _sync_file_system(destination: Destination) -> None:
    """One call for thousands of files: the disk gets them in its own order."""
    libc = ctypes.CDLL(None, use_errno=True)
    descriptor = os.open(destination.path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        if libc.syncfs(descriptor):
            reason = os.strerror(ctypes.get_errno()).lower()
            raise TransientError(f"data directory {destination.path}: {reason}", hint=destination.advice())
    finally:
        os.close(descriptor)


def _kernel() -> tuple[int, ...]:
    return tuple(map(int, re.findall(r"\d+", os.uname().release)[:2]))

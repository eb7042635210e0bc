"""Finds and ends every process that descends from us, in whatever session or process group it is."""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import time
from collections import defaultdict
from pathlib import Path

_PR_SET_PDEATHSIG = 1
_PR_SET_CHILD_SUBREAPER = 36
_libc = ctypes.CDLL(None, use_errno=True)


def adopt_orphans() -> None:
    """Become the parent of every descendant whose own parent dies, so that none can leave our tree (prctl(2))."""
    _libc.prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def die_with_parent(number: signal.Signals, parent_pid: int) -> None:
    """Have the kernel signal this process when the thread that forked it ends (prctl(2))."""
    _libc.prctl(_PR_SET_PDEATHSIG, number, 0, 0, 0)
    if os.getppid() != parent_pid:  # it ended before we asked
        os.kill(os.getpid(), number)


def descendants(pid: int) -> list[int]:
    """Process ids of all living descendants, parents before children."""
    children = defaultdict(list)
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            # The program's name stands in brackets and may itself hold brackets and spaces.
            state, parent, *_ = stat.read_text(errors="replace").rpartition(")")[2].split()
            if state not in "ZX":
                children[int(parent)].append(int(stat.parent.name))
    found: list[int] = []
    waiting = [pid]
    while waiting:
        own = children[waiting.pop(0)]
        found += own
        waiting += own
    return found


def end_descendants(grace_s: float) -> None:
    """Ask all descendants to end, kill those that have not after ``grace_s``; returns when none is left."""
    deadline = time.monotonic() + grace_s
    asked: set[int] = set()
    while living := descendants(os.getpid()):
        is_late = time.monotonic() > deadline
        for pid in living:
            if is_late or pid not in asked:
                asked.add(pid)
                with contextlib.suppress(ProcessLookupError, PermissionError):
                    os.kill(pid, signal.SIGKILL if is_late else signal.SIGTERM)
        reap()
        time.sleep(0.05)
    reap()


def reap() -> dict[int, int]:
    """Collect every child that has ended: pid → exit status (negative: the signal)."""
    ended: dict[int, int] = {}
    with contextlib.suppress(ChildProcessError):
        while (found := os.waitpid(-1, os.WNOHANG))[0]:
            ended[found[0]] = os.waitstatus_to_exitcode(found[1])
    return ended

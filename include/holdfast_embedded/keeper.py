"""Two processes that watch each other, so that no server outlives `make run`, however it ends.

The outer one stands in the terminal and hands signals on. The inner one, in a session of its own, starts
the servers. Both adopt orphans: whichever is killed, the other finds everything that was started and ends it.
"""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import time
import traceback
from collections.abc import Callable
from pathlib import Path

from holdfast_embedded import process_tree
from holdfast_embedded.terminal import say

_STOPPING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
_WATCH_S = 0.5
_ONE_REQUEST_S = 1.0
INTERRUPTED = 130
"""The exit status of work that Stop has ended, as shells give it after Ctrl-C."""


class Stop(BaseException):
    """We were asked to end. Like KeyboardInterrupt no Exception: nothing may take it for a failure."""


def keep(work: Callable[[], int], *, grace_s: float = 5.0) -> int:
    """Run ``work`` in a process of its own; returns its exit status when that and all it started is gone.

    In ``work``, the first request to stop raises Stop in the main thread; further ones are ignored. What it
    leaves running has ``grace_s`` to end when asked.
    """
    process_tree.adopt_orphans()
    signal.pthread_sigmask(signal.SIG_BLOCK, {*_STOPPING, signal.SIGCHLD})
    outer = os.getpid()
    inner = os.fork()
    if inner == 0:
        os._exit(_run_inner(work, outer, grace_s))
    try:
        return _watch(inner)
    finally:
        process_tree.end_descendants(grace_s)


def _run_inner(work: Callable[[], int], outer: int, grace_s: float) -> int:
    status = 1
    try:
        os.setsid()
        process_tree.adopt_orphans()
        for number in _STOPPING:
            signal.signal(number, _raise_stop)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {*_STOPPING, signal.SIGCHLD})
        process_tree.die_with_parent(signal.SIGTERM, outer)
        status = work()
    except Stop:
        status = INTERRUPTED
    except BaseException:
        traceback.print_exc()
    finally:
        _ignore_requests()
        process_tree.end_descendants(grace_s)
        with contextlib.suppress(OSError):
            sys.stdout.flush()
    return status


def _raise_stop(number: int, frame: object) -> None:
    _ignore_requests()
    raise Stop


def _ignore_requests() -> None:
    for number in _STOPPING:
        signal.signal(number, signal.SIG_IGN)


def _watch(inner: int) -> int:
    """Hand the first request to stop to the inner process and wait; a second one is not gentle any more."""
    is_wanted = _MakeWatch()
    asked_at: float | None = None
    while True:
        got = signal.sigtimedwait({*_STOPPING, signal.SIGCHLD}, _WATCH_S)
        ended = process_tree.reap()
        if inner in ended:
            if ended[inner] >= 0:
                return ended[inner]
            say(f"holdfast: the process that kept the servers was killed by signal {-ended[inner]}")
            return 1
        is_request = got is not None and got.si_signo != signal.SIGCHLD
        if asked_at is None and (is_request or not is_wanted()):
            asked_at = time.monotonic()
            os.kill(inner, signal.SIGTERM)
        # make repeats to its children what their whole group has been sent already.
        elif asked_at is not None and is_request and time.monotonic() - asked_at > _ONE_REQUEST_S:
            os.kill(inner, signal.SIGKILL)


class _MakeWatch:
    """Asks whether `make`, our parent, still wants us.

    A make that gets SIGINT alone (not from a terminal, which signals the whole group) stops catching the
    signal and waits for its children without telling them. That, or its death, is a request to stop.
    """

    def __init__(self) -> None:
        self._parent = os.getppid()
        self._did_catch = self._catches_interrupt()

    def __call__(self) -> bool:
        return os.getppid() == self._parent and (not self._did_catch or self._catches_interrupt())

    def _catches_interrupt(self) -> bool:
        try:
            status = Path(f"/proc/{self._parent}/status").read_text(errors="replace")
        except OSError:
            return False
        fields = dict(line.split(":\t", 1) for line in status.splitlines() if ":\t" in line)
        is_make = fields["Name"].strip() in ("make", "gmake")
        return is_make and bool(int(fields["SigCgt"], 16) >> (signal.SIGINT - 1) & 1)

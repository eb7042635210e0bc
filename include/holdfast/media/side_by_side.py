"""Runs pieces of work in a few threads, while the caller's thread tells of their progress and hears interrupts."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait

_LOOK_S = 0.1


class Stopped(Exception):
    """Another piece of work failed for good, or the user interrupted: nothing more is to be begun."""


def side_by_side(
    jobs: Sequence[Callable[[], None]], threads: int, stop: threading.Event, tell: Callable[[], None]
) -> None:
    """Run all jobs; the first that raises sets ``stop``, by which the others end, and its error is raised.

    A job ends by Stopped where it saw ``stop``. ``tell`` is called now and then, in this thread.
    """
    with ThreadPoolExecutor(threads) as pool:
        futures = [pool.submit(job) for job in jobs]
        try:
            running = set(futures)
            while running:
                done, running = wait(running, _LOOK_S, FIRST_EXCEPTION)
                tell()
                if any(future.exception() for future in done):
                    break
        finally:
            if any(not future.done() for future in futures):
                stop.set()
                pool.shutdown(cancel_futures=True)
    failures = [future.exception() for future in futures if not future.cancelled()]
    for failure in failures:
        if failure is not None and not isinstance(failure, Stopped):
            raise failure

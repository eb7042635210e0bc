"""Work that may hang for ever, given up after a while: each piece in a thread that nobody waits for at the end."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence


def within[T](seconds: float, works: Sequence[Callable[[], T]]) -> list[T | None]:
    """Do all of it side by side; what each returned, None for what was not done in time or raised.

    A socket's timeout does not end a server that sends a byte now and then. What hangs goes on as a daemon thread,
    which holds no process up.
    """
    results: list[T | None] = [None] * len(works)

    def run(number: int) -> None:
        results[number] = works[number]()

    threads = [
        threading.Thread(target=run, args=(number,), name=f"holdfast-alert-{number}", daemon=True)
        for number in range(len(works))
    ]
    for thread in threads:
        thread.start()
    deadline = time.monotonic() + seconds
    for thread in threads:
        thread.join(max(0.0, deadline - time.monotonic()))
    return list(results)

"""Reads a large object as a row of ranges, the next ones fetched while one is worked on."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor

_RANGE_BYTES = 4 << 20
_AHEAD = 2


def read_ahead(fetch: Callable[[int, int], bytes], size_bytes: int) -> Iterator[bytes]:
    """All ``size_bytes`` in order, by calls of ``fetch(offset, length)`` in threads of their own.

    Unlike one long answer, ranges survive a reader that pauses (a restore may, for hours), and each is
    tried again by itself. Memory: three ranges of 4 MiB.
    """
    waiting: deque[Future[bytes]] = deque()
    offsets = iter(range(0, size_bytes, _RANGE_BYTES))
    with ThreadPoolExecutor(_AHEAD, "read ahead") as threads:
        try:
            for offset in offsets:
                waiting.append(threads.submit(fetch, offset, min(_RANGE_BYTES, size_bytes - offset)))
                if len(waiting) > _AHEAD:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            threads.shutdown(wait=False, cancel_futures=True)

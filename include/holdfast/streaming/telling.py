"""Tell of the stream while it goes on: one phase after another, each with what it has brought."""

from __future__ import annotations

import time
from collections import deque
from dataclasses import replace

from holdfast.progress import Progress
from holdfast.streaming.line import Shipped
from holdfast.values import figures
from holdfast.values.lsn import Lsn

_EVERY_S = 60.0
_SAMPLES = 36_000


class Telling:
    """``lag``: what the server has flushed and the store lacks, in bytes, and in seconds since the first of it."""

    def __init__(self, progress: Progress, every_s: float = _EVERY_S) -> None:
        self._progress, self._every_s = progress, every_s
        self._begun = time.monotonic()
        self._before = Shipped()
        self._flushed: deque[tuple[float, Lsn]] = deque(maxlen=_SAMPLES)
        self._progress.begin("wal")

    def tell(self, shipped: Shipped, stored: Lsn | None, flush: Lsn | None, trouble: str = "") -> None:
        """Note where things stand, and from time to time say so."""
        now = time.monotonic()
        if flush is not None:
            self._flushed.append((now, flush))
        while self._flushed and stored is not None and self._flushed[0][1] <= stored:
            self._flushed.popleft()
        if now - self._begun < self._every_s:
            return
        self._say(shipped, stored, self._lag(now, stored) + (f", {trouble}" if trouble else ""))
        self._progress.begin("wal")
        self._begun, self._before = now, replace(shipped)

    def end(self, shipped: Shipped, stored: Lsn | None) -> None:
        """The last word."""
        self._say(shipped, stored, "")

    def _say(self, shipped: Shipped, stored: Lsn | None, more: str) -> None:
        segments = shipped.segments - self._before.segments
        moved = shipped.wal_bytes - self._before.wal_bytes
        rate = moved / max(time.monotonic() - self._begun, 0.001)
        self._progress.advance(shipped.stored_bytes - self._before.stored_bytes)
        self._progress.end(
            f"{segments} segments, {figures.size(int(rate))}/s of WAL, stored up to {stored or 'nothing yet'}{more}"
        )

    def _lag(self, now: float, stored: Lsn | None) -> str:
        if not self._flushed:
            return ", lag 0"
        first, last = self._flushed[0], self._flushed[-1]
        behind = "" if stored is None else f"{figures.size(max(0, last[1] - stored))}, "
        return f", lag {behind}{now - first[0]:.0f} s"

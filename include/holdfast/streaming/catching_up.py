"""How far the store follows the source: since when it is not caught up."""

from __future__ import annotations

from collections import deque
from datetime import datetime

from holdfast.values.lsn import Lsn

_SAMPLES = 36_000


class CatchingUp:
    """``caught_up_at``: the last moment of which all that the source had flushed by then is stored."""

    def __init__(self) -> None:
        self._flushed: deque[tuple[datetime, Lsn]] = deque(maxlen=_SAMPLES)
        self._timeline = 0
        self.caught_up_at: datetime | None = None

    def note(self, at: datetime, timeline: int, flush: Lsn | None, stored: Lsn | None) -> None:
        """At ``at`` or later the source had flushed up to ``flush`` (None: it was not to be asked)."""
        if timeline != self._timeline:
            # What an old primary wrote behind the point where it was left is not waited for.
            self._timeline = timeline
            self._flushed.clear()
        if flush is not None:
            self._flushed.append((at, flush))
        while self._flushed and stored is not None and self._flushed[0][1] <= stored:
            self.caught_up_at = self._flushed.popleft()[0]

"""The newest text of metrics, made when somebody asks for it, and not more often than once a minute."""

from __future__ import annotations

import time
from collections.abc import Callable
from threading import Condition, Thread

EVERY_S = 60.0


class Latest:
    """Calls ``make`` in a thread of its own: a store that does not answer keeps nobody waiting for ever.

    ``make`` must not raise; what it returns is what is served until it has made something newer.
    """

    def __init__(self, make: Callable[[], str], clock: Callable[[], float] = time.monotonic) -> None:
        self._make = make
        self._clock = clock
        self._changed = Condition()
        self._text: str | None = None
        self._begun_at: float | None = None
        self._is_making = False

    def text(self, within_s: float) -> str | None:
        """A text that is at most a minute old or was made now; after ``within_s`` an older one, or None."""
        with self._changed:
            if self._is_due():
                self._is_making, self._begun_at = True, self._clock()
                Thread(target=self._renew, name="metrics", daemon=True).start()
            self._changed.wait_for(lambda: not self._is_making, within_s)
            return self._text

    def _is_due(self) -> bool:
        is_old = self._begun_at is None or self._clock() - self._begun_at >= EVERY_S
        return is_old and not self._is_making

    def _renew(self) -> None:
        text: str | None = None
        try:
            text = self._make()
        finally:
            with self._changed:
                self._text, self._is_making = text if text is not None else self._text, False
                self._changed.notify_all()

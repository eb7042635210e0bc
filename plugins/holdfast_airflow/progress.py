"""Tells a task's log how far the work is: a line now and then, never one for every piece."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from holdfast.redaction import redact
from holdfast.values.figures import seconds, size

if TYPE_CHECKING:
    from airflow.sdk.types import Logger

_EVERY_S = 10.0
_EVERY_SHARE = 0.05


class LoggedProgress:
    """A Progress that writes log lines: at most one in ten seconds, and, where the total is known, one for 5 %."""

    def __init__(self, log: Logger, clock: Callable[[], float] = time.monotonic) -> None:
        self._log = log
        self._clock = clock
        self._phase = ""
        self._total: int | None = None
        self._done = self._told = 0
        self._began_at = self._told_at = clock()

    def begin(self, phase: str, total_bytes: int | None = None) -> None:
        """Log that the phase starts, and how much lies before it."""
        self._phase, self._total = phase, total_bytes
        self._done = self._told = 0
        self._began_at = self._told_at = self._clock()
        self._log.info("%s: started%s", phase, f", {size(total_bytes)}" if total_bytes else "")

    def advance(self, count_bytes: int) -> None:
        """Log how far the phase is, if it is time."""
        self._done += count_bytes
        now = self._clock()
        if now - self._told_at >= _EVERY_S and self._done - self._told >= _EVERY_SHARE * (self._total or 0):
            self._told, self._told_at = self._done, now
            rate = self._done / max(now - self._began_at, 1e-9)
            told = f"{size(self._done)}{self._share()}, {size(int(rate))}/s{self._left(rate)}"
            self._log.info("%s: %s", self._phase, told)

    def end(self, outcome: str = "") -> None:
        """Log how long the phase took and what came of it."""
        lasted_s = self._clock() - self._began_at
        self._log.info("%s: done in %.1f s%s", self._phase, lasted_s, f", {redact(outcome)}" if outcome else "")

    def _share(self) -> str:
        # The total is often an estimate, such as the database's size on disk: never say more than 99 %.
        return f" ({min(99, 100 * self._done // self._total)} %)" if self._total else ""

    def _left(self, rate: float) -> str:
        """How long the rest will take if it goes on like this; nothing where no rest is known."""
        rest = (self._total or 0) - self._done
        if rest <= 0 or rate <= 0:
            return ""
        left_s = max(1, round(rest / rate))
        return f", about {f'{left_s} s' if left_s < 60 else seconds(left_s)} left"

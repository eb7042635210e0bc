"""Keeps addresses out of logs: Apprise and its HTTP client name URLs there, which hold tokens.

What they say while we send goes nowhere, but for the status that a server answered with.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

_STATUS = re.compile(r"error=(\d{3})\b")
_LOGGERS = ("apprise", "urllib3", "urllib3.connectionpool", "urllib3.util.retry", "requests", "charset_normalizer")


class Overheard:
    """The status that a server last answered with, where it said one."""

    def __init__(self) -> None:
        self.status: str | None = None

    def note(self, record: logging.LogRecord) -> None:
        """Keep the number alone."""
        found = _STATUS.search(record.getMessage()) if record.levelno >= logging.WARNING else None
        if found:
            self.status = found[1]


_listening: ContextVar[Overheard | None] = ContextVar("holdfast_alerting_hushed", default=None)


class _Hush(logging.Filter):
    """Drops what is logged while we send; what others send by the same libraries is logged as ever."""

    def filter(self, record: logging.LogRecord) -> bool:
        overheard = _listening.get()
        if overheard is None:
            return True
        overheard.note(record)
        return False


_HUSH = _Hush()


@contextmanager
def hushed() -> Iterator[Overheard]:
    """Nothing that this thread says by those libraries reaches a log meanwhile."""
    # Never taken off again: a thread that was given up may still be speaking.
    for name in _LOGGERS:
        logging.getLogger(name).addFilter(_HUSH)
    overheard = Overheard()
    token = _listening.set(overheard)
    try:
        yield overheard
    finally:
        _listening.reset(token)

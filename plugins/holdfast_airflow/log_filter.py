"""Keeps secrets out of what libraries log while the engine works in a task."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager

from holdfast.redaction import cleansed, redact


class _Redacting(logging.Filter):
    """Changes each record's text; Airflow's own masker knows values alone, and not what has the form of a secret."""

    def filter(self, record: logging.LogRecord) -> bool:
        try:
            told = record.getMessage()
        except Exception:
            return True  # the handler complains of wrong arguments, as ever
        clean = redact(told)
        if clean != told:
            record.msg, record.args = clean, ()
        if record.exc_info and record.exc_info[1] is not None:
            error = cleansed(record.exc_info[1])
            record.exc_info = (type(error), error, record.exc_info[2])
        return True


_FILTER = _Redacting()


@contextmanager
def redacted_logs() -> Iterator[None]:
    """Every record that reaches the process's handlers meanwhile loses its secrets.

    The filter sits on the handlers: one on a logger would not see what is logged by those below it.
    """
    handlers = [handler for handler in logging.getLogger().handlers if _FILTER not in handler.filters]
    for handler in handlers:
        handler.addFilter(_FILTER)
    try:
        yield
    finally:
        for handler in handlers:
            handler.removeFilter(_FILTER)

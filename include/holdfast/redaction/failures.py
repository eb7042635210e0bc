"""Errors without secrets: the whole chain of causes, and the traceback of it."""

from __future__ import annotations

import contextlib
import traceback

from holdfast.redaction.redactor import redact


class Withheld(Exception):
    """Stands for an error of a library whose text holds a secret and cannot be changed."""


def cleansed(error: BaseException) -> BaseException:
    """The error with no secret in its text, nor in that of its causes, contexts and notes.

    It is the same object wherever its text can be changed, so that it can still be caught by its type.
    """
    return _cleansed(error, {})


def traceback_text(error: BaseException) -> str:
    """The traceback as Python prints it, without secrets; local variables are never part of it."""
    return redact("".join(traceback.format_exception(error)))


def _cleansed(error: BaseException, seen: dict[int, BaseException]) -> BaseException:
    if id(error) in seen:
        return seen[id(error)]
    seen[id(error)] = error
    _edit(error)
    told = str(error)
    clean = redact(told)
    kept = error if clean == told else Withheld(f"{type(error).__name__}: {clean}").with_traceback(error.__traceback__)
    seen[id(error)] = kept
    cause, context, is_suppressed = error.__cause__, error.__context__, error.__suppress_context__
    kept.__cause__ = None if cause is None else _cleansed(cause, seen)
    kept.__context__ = None if context is None else _cleansed(context, seen)
    kept.__suppress_context__ = is_suppressed
    if isinstance(error, BaseExceptionGroup):
        for each in error.exceptions:
            _cleansed(each, seen)
    return kept


def _edit(error: BaseException) -> None:
    """Change its text in place, as far as it lets."""
    error.args = tuple(_argument(each) for each in error.args)
    if hasattr(error, "__notes__"):
        error.__notes__ = [redact(str(note)) for note in error.__notes__]
    # OSError's text is not made of its arguments, nor is that of our own errors.
    for name in ("message", "hint", "stderr", "strerror", "filename", "filename2"):
        value = getattr(error, name, None)
        if isinstance(value, str) and (clean := redact(value)) != value:
            with contextlib.suppress(AttributeError):
                setattr(error, name, clean)


def _argument(value: object) -> object:
    if isinstance(value, int | float | None):
        return value
    told = str(value)
    clean = redact(told)
    return value if clean == told else clean

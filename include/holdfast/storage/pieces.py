"""Ends the producer of bytes that a store could not take."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress


@contextmanager
def ended_on_failure(pieces: Iterable[bytes]) -> Iterator[None]:
    """If the block fails, end the generator that ``pieces`` is, and with it the program that feeds it."""
    try:
        yield
    except BaseException:
        close = getattr(pieces, "close", None)
        if close is not None:
            with suppress(Exception):  # the failure on its way up comes first
                close()
        raise

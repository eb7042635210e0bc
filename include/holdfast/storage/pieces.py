"""Pieces of bytes on their way to a store: joined where they are small, their producer ended when it fails."""

from __future__ import annotations

from collections.abc import Generator, Iterable, Iterator
from contextlib import contextmanager, suppress

_LEAST_BYTES = 1 << 20


def joined(
    pieces: Iterable[bytes | bytearray | memoryview], *, least_bytes: int = _LEAST_BYTES
) -> Generator[bytes, None, None]:
    """The same bytes in pieces of at least ``least_bytes``, none of them empty: each costs a change of thread."""
    held: list[bytes | bytearray | memoryview] = []
    held_bytes = 0
    for piece in pieces:
        held.append(piece)
        held_bytes += len(piece)
        if held_bytes >= least_bytes:
            yield b"".join(held)
            held, held_bytes = [], 0
    if held_bytes:
        yield b"".join(held)


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

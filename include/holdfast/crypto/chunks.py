"""Cuts a stream of pieces of any sizes into equal chunks, copying only what spans two pieces."""

from __future__ import annotations

from collections.abc import Iterable, Iterator


def chunks(pieces: Iterable[bytes], size: int) -> Iterator[tuple[memoryview, bool]]:
    """(chunk, whether it is the last one): all ``size`` bytes long but the last, which may be shorter.

    The last is empty only where the whole stream is. A chunk is valid until the next one is asked for:
    its memory is used again.
    """
    scratch = memoryview(bytearray(size))
    held = 0
    for piece in pieces:
        view = memoryview(piece)
        if not view:
            continue
        if held == size:
            yield scratch, False
            held = 0
        start = min(size - held, len(view)) if held else 0
        scratch[held : held + start] = view[:start]
        held += start
        if start == len(view):
            continue
        if held:
            yield scratch, False
        while len(view) - start > size:
            yield view[start : start + size], False
            start += size
        held = len(view) - start
        scratch[:held] = view[start:]
    yield scratch[:held], True

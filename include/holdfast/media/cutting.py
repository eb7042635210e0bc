"""Cuts the plaintext of a shard into the files that are wanted of it, as it streams by."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple


class Span[Of](NamedTuple):
    """``length`` bytes from ``offset`` of a shard's tar, and whatever the reader knows them by."""

    offset: int
    length: int
    of: Of


def cut[Of](
    pieces: Iterable[tuple[int, memoryview]], spans: Iterable[Span[Of]]
) -> Iterator[tuple[Of, memoryview | None, bool]]:
    """(of which span, its next bytes, whether they are its last), in the order of the spans' offsets.

    Bytes are None, and the last, where the pieces leave some of the span out. ``pieces`` are (offset, bytes) in order;
    each part is valid until the next is asked for. A span that overlaps the one before is given as left out.
    ``pieces`` is read to its end.
    """
    waiting = iter(spans)
    span = next(waiting, None)
    position = span.offset if span else 0
    reached = 0
    for offset, piece in pieces:
        end = offset + len(piece)
        while span is not None and span.offset < end:
            if span.offset < reached or position < offset:
                yield span.of, None, True
            else:
                span_end = span.offset + span.length
                upto = min(span_end, end)
                yield span.of, piece[position - offset : upto - offset], upto == span_end
                position = upto
                if upto < span_end:
                    break
                reached = span_end
            span = next(waiting, None)
            position = span.offset if span else 0
    while span is not None:
        yield span.of, None, True
        span = next(waiting, None)

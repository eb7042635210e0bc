"""Cutting a stream into the files that are wanted of it."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from holdfast.media.cutting import Span, cut


def pieces_of(data: bytes, size: int, lost: range = range(0)) -> list[tuple[int, memoryview]]:
    """``data`` in pieces of ``size``; those with a number in ``lost`` are left out."""
    starts = enumerate(range(0, len(data), size))
    return [(at, memoryview(data)[at : at + size]) for number, at in starts if number not in lost]


def taken(pieces: list[tuple[int, memoryview]], spans: list[Span[int]]) -> dict[int, bytes | None]:
    """What came of each span: its bytes, or None where some are lost."""
    found: dict[int, bytes | None] = {}
    ended: set[int] = set()
    for of, part, is_last in cut(pieces, spans):
        assert of not in ended
        if is_last:
            ended.add(of)
        before = found.get(of, b"")
        found[of] = None if part is None or before is None else before + bytes(part)
    assert ended == {span.of for span in spans}
    return found


@given(
    gaps=st.lists(st.tuples(st.integers(0, 30), st.integers(1, 60)), max_size=12),
    size=st.integers(1, 70),
    lost=st.tuples(st.integers(0, 20), st.integers(0, 3)),
)
def test_every_span_gets_its_bytes_unless_some_are_lost(
    gaps: list[tuple[int, int]], size: int, lost: tuple[int, int]
) -> None:
    """Whatever the pieces: a span is either exactly its bytes or told as lost, and lost only where bytes are."""
    spans, at = [], 0
    for number, (gap, length) in enumerate(gaps):
        spans.append(Span(at + gap, length, number))
        at += gap + length
    data = bytes(index % 251 for index in range(at + 7))
    gone = range(lost[0], lost[0] + lost[1])
    missing = {index for index in range(len(data)) if index // size in gone}
    found = taken(pieces_of(data, size, gone), spans)
    for span in spans:
        is_hit = not missing.isdisjoint(range(span.offset, span.offset + span.length))
        assert found[span.of] == (None if is_hit else data[span.offset : span.offset + span.length])


def test_overlapping_spans_are_told_as_lost() -> None:
    """A listing that names bytes twice gets them once; the stream cannot go back."""
    found = taken(pieces_of(b"0123456789", 4), [Span(0, 6, 1), Span(3, 4, 2), Span(6, 2, 3)])
    assert found == {1: b"012345", 2: None, 3: b"67"}


def test_spans_beyond_the_end_are_lost() -> None:
    """What lies behind the last byte is not there."""
    assert taken(pieces_of(b"0123", 4), [Span(2, 9, 1), Span(40, 1, 2)]) == {1: None, 2: None}

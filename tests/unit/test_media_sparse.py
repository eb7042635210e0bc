"""Files with holes."""

from __future__ import annotations

import hashlib
import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.errors import IntegrityError
from holdfast.media.sparse import ContentHash, Placement, demand_sound


@given(st.lists(st.tuples(st.integers(0, 50), st.integers(0, 50)), max_size=6), st.integers(0, 40), st.integers(1, 30))
def test_stored_parts_find_their_places(gaps: list[tuple[int, int]], tail: int, piece: int) -> None:
    """Put together again from stored bytes in any pieces, a file and its hash are what they were."""
    whole, extents = bytearray(), []
    for gap, length in gaps:
        whole += bytes(gap)
        extents.append((len(whole), length))
        whole += os.urandom(length)
    whole += bytes(tail)
    stored = b"".join(bytes(whole[offset : offset + length]) for offset, length in extents)
    demand_sound(len(whole), extents)
    placement, digest, made = Placement(extents), ContentHash(len(whole), extents), bytearray(len(whole))
    for at in range(0, len(stored), piece):
        part = memoryview(stored)[at : at + piece]
        digest.update(part)
        for offset, run in placement.of(part):
            made[offset : offset + len(run)] = run
    assert made == whole
    assert digest.hexdigest() == hashlib.sha256(whole).hexdigest()


@pytest.mark.parametrize("extents", [[(0, 11)], [(5, 2), (6, 1)], [(5, 1), (2, 1)], [(0, -1)]])
def test_impossible_parts_are_refused(extents: list[tuple[int, int]]) -> None:
    """Parts that overlap or leave the file are no listing's."""
    with pytest.raises(IntegrityError, match="sparse"):
        demand_sound(10, extents)

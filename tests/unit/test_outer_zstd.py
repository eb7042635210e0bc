"""The zstd frame around an archive: complete or an error, and bounded whatever it holds."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.errors import IntegrityError
from holdfast.postgres.outer_zstd import compressed, decompressed


@given(st.binary(max_size=300_000), st.integers(min_value=1, max_value=70_000))
def test_round_trip(content: bytes, size: int) -> None:
    """In pieces of any size."""
    frame = b"".join(compressed([content[: size // 2], content[size // 2 :]], 1))
    assert b"".join(decompressed(frame[start : start + size] for start in range(0, len(frame), size))) == content


@given(st.binary(max_size=2000), st.data())
def test_every_cut_and_flip_is_refused(content: bytes, data: st.DataObject) -> None:
    """At any place; the frame's checksum and end are both demanded."""
    frame = b"".join(compressed([content], 1))
    place = data.draw(st.integers(0, len(frame) - 1))
    with pytest.raises(IntegrityError):
        b"".join(decompressed([frame[:place]]))
    flipped = frame[:place] + bytes([frame[place] ^ 0x20]) + frame[place + 1 :]
    try:
        assert b"".join(decompressed([flipped])) == content
    except IntegrityError:
        return


def test_public_tool_opens_it() -> None:
    """Whoever has no Holdfast has zstd."""
    frame = b"".join(compressed([b"x" * 100_000], 1))
    assert subprocess.run(["zstd", "-dc"], input=frame, capture_output=True, check=True).stdout == b"x" * 100_000


def test_pieces_stay_small_however_well_compressed() -> None:
    """A few KiB may hold hundreds of MiB."""
    frame = b"".join(compressed((bytes(1 << 20) for _ in range(200)), 1))
    assert len(frame) < 100_000
    sizes = [len(piece) for piece in decompressed([frame])]
    assert sum(sizes) == 200 << 20
    assert max(sizes) <= (1 << 20) + 64


def test_errors_of_the_source_pass_through() -> None:
    """Such as a file that does not decrypt to its end."""

    def pieces() -> Iterator[bytes]:
        yield b"".join(compressed([b"x" * 1000], 1))[:10]
        raise ValueError("damaged")

    with pytest.raises(ValueError, match="damaged"):
        b"".join(decompressed(pieces()))

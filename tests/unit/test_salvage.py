"""A damaged age file gives all of its sound chunks and nothing else."""

from __future__ import annotations

import os

import pytest

from holdfast.crypto import age
from holdfast.crypto.salvage import Salvage
from holdfast.errors import DecryptError, NoIdentityMatch

CHUNK = 65536
IDENTITY = age.generate_identity()


def sealed(plain: bytes) -> bytes:
    return b"".join(age.encrypt([plain], [IDENTITY.recipient()]))


def salvaged(stored: bytes, size_bytes: int, piece: int = 100_000) -> tuple[dict[int, bytes], Salvage]:
    """Plaintext by offset, and the salvage for what it says."""
    pieces = [stored[at : at + piece] for at in range(0, len(stored), piece)]
    salvage = Salvage(pieces, [IDENTITY], size_bytes)
    return {offset: bytes(part) for offset, part in salvage.pieces()}, salvage


@pytest.mark.parametrize("size", [0, 1, CHUNK - 1, CHUNK, CHUNK + 1, 16 * CHUNK, 33 * CHUNK + 5])
def test_sound_file_comes_back_whole(size: int) -> None:
    """Nothing is lost of a sound file of any size."""
    plain = os.urandom(size)
    stored = sealed(plain)
    found, salvage = salvaged(stored, len(stored))
    assert b"".join(found.values()) == plain
    assert (salvage.fault, salvage.lost) == (None, [])


@pytest.mark.parametrize("chunk", [0, 1, 17, 40])
def test_flipped_byte_costs_its_chunk_alone(chunk: int) -> None:
    """All other bytes come at their own offsets."""
    plain = os.urandom(40 * CHUNK + 99)
    stored = bytearray(sealed(plain))
    whole = len(stored)
    begin = whole - (len(plain) + 41 * 16)
    stored[begin + chunk * (CHUNK + 16) + 5] ^= 1
    found, salvage = salvaged(bytes(stored), whole)
    lost = (chunk * CHUNK, min(CHUNK, len(plain) - chunk * CHUNK))
    assert salvage.lost == [lost]
    assert salvage.fault
    for offset, part in found.items():
        assert plain[offset : offset + len(part)] == part
    assert sum(map(len, found.values())) == len(plain) - lost[1]


def test_cut_file_gives_what_stands_before_the_cut() -> None:
    """A file that ends early is cut short, and its whole chunks are sound all the same."""
    plain = os.urandom(5 * CHUNK)
    stored = sealed(plain)
    found, salvage = salvaged(stored[: len(stored) - CHUNK - 100], len(stored))
    assert b"".join(found.values()) == plain[: 3 * CHUNK]
    assert salvage.fault == "cut short"
    assert sum(length for _, length in salvage.lost) == 2 * CHUNK


def test_bytes_behind_the_end_are_told() -> None:
    """Who appends to a file changes nothing of it unseen."""
    plain = os.urandom(2 * CHUNK + 1)
    stored = sealed(plain)
    found, salvage = salvaged(stored + os.urandom(CHUNK * 2), len(stored))
    assert b"".join(found.values())[: 2 * CHUNK] == plain[: 2 * CHUNK]
    assert salvage.fault


def test_header_that_cannot_be_read_is_an_error() -> None:
    """Without a header nothing can be salvaged; another's file is told from a damaged one."""
    stored = sealed(b"x")
    with pytest.raises(DecryptError, match="cut short"):
        salvaged(stored[:50], len(stored))
    with pytest.raises(NoIdentityMatch):
        list(Salvage([stored], [age.generate_identity()], len(stored)).pieces())

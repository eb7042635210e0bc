"""Streams of hundreds of MiB pass in constant memory, both ways, armored and from the middle."""

import tracemalloc
from collections.abc import Callable, Iterable, Iterator

import pytest

from holdfast.crypto import age

MIB = 1 << 20
IDENTITY = age.generate_identity()
BLOCK = bytes(MIB)


def source(count_mib: int) -> Iterator[bytes]:
    """That many MiB."""
    for _ in range(count_mib):
        yield BLOCK


def encrypted(count_mib: int) -> Iterable[bytes]:
    """An encrypting stream."""
    return age.encrypt(source(count_mib), [IDENTITY.recipient()])


def peak_growth(stream: Callable[[], Iterable[bytes]]) -> tuple[int, int]:
    """(bytes that came out, largest memory above the start)."""
    tracemalloc.start()
    try:
        total = sum(map(len, stream()))
        return total, tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("kind", ["encrypt", "decrypt", "armored decrypt"])
def test_stream_in_constant_memory(kind: str) -> None:
    """Far below the stream's size, and no more for a longer one."""
    count_mib = 20 if kind.startswith("armored") else 200
    streams: dict[str, Callable[[], Iterable[bytes]]] = {
        "encrypt": lambda: encrypted(count_mib),
        "decrypt": lambda: age.decrypt(encrypted(count_mib), (IDENTITY,)),
        "armored decrypt": lambda: age.decrypt(age.armored(encrypted(count_mib)), (IDENTITY,)),
    }
    total, peak = peak_growth(streams[kind])
    assert total >= count_mib * MIB
    assert peak < 8 * MIB


def test_range_pieces_in_constant_memory() -> None:
    """A long read from the middle, piece by piece."""
    file = b"".join(encrypted(40))
    reader = age.RangeReader(lambda offset, length: file[offset : offset + length], len(file), (IDENTITY,))
    total, peak = peak_growth(lambda: reader.pieces(5, 40 * MIB))
    assert total == 40 * MIB - 5
    assert peak < 12 * MIB

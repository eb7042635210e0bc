"""Reading from the middle: equal to slices of the whole, few bytes fetched, damage refused."""

from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import age_builder as build
from holdfast.crypto import age
from holdfast.crypto.x25519 import X25519Identity
from holdfast.errors import DecryptError, NoIdentityMatch, ObjectMissing

IDENTITY = X25519Identity(build.SECRET)
CHUNK = build.CHUNK
SIZES = [0, 1, CHUNK - 1, CHUNK, CHUNK + 1, 3 * CHUNK, 3 * CHUNK + 100]


def content(size: int) -> bytes:
    """Bytes that differ from chunk to chunk."""
    return (b"%015d\n" * (size // 16 + 1) % tuple(range(size // 16 + 1)))[:size]


FILES = {size: build.age_file(content(size), build.x25519()) for size in SIZES}


class Fetched:
    """A store's object that counts what is read of it."""

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.ranges: list[tuple[int, int]] = []

    def __call__(self, offset: int, length: int) -> bytes:
        self.ranges.append((offset, length))
        return self.data[offset : offset + length]

    def reader(self) -> age.RangeReader:
        """A reader of it."""
        return age.RangeReader(self, len(self.data), (IDENTITY,))


@settings(max_examples=200)
@given(st.sampled_from(SIZES), st.integers(0, 4 * CHUNK), st.integers(0, 4 * CHUNK))
def test_read_equals_slice(size: int, offset: int, length: int) -> None:
    """Any offset and length, also beyond the end."""
    reader = Fetched(FILES[size]).reader()
    assert reader.size_bytes == size
    assert reader.read(offset, length) == content(size)[offset : offset + length]
    assert b"".join(reader.pieces(offset, length)) == content(size)[offset : offset + length]


def test_one_reader_serves_many_reads() -> None:
    """Backwards, overlapping, and again."""
    data = content(SIZES[-1])
    reader = Fetched(FILES[SIZES[-1]]).reader()
    for offset in (3 * CHUNK, CHUNK - 5, CHUNK - 5, 0, 2 * CHUNK + 1, 3 * CHUNK + 99):
        assert reader.read(offset, 70_000) == data[offset : offset + 70_000]


def test_only_needed_chunks_are_fetched() -> None:
    """A small read of a large file fetches header, final chunk, and one chunk; the next one beside it nothing."""
    fetched = Fetched(build.age_file(content(100 * CHUNK)))
    reader = fetched.reader()
    assert reader.read(50 * CHUNK + 5, 100) == content(100 * CHUNK)[50 * CHUNK + 5 :][:100]
    assert sum(length for _, length in fetched.ranges) < 4096 + 2 * (CHUNK + 16) + 1
    reads = len(fetched.ranges)
    reader.read(50 * CHUNK + 200, 100)
    assert len(fetched.ranges) == reads


def test_long_header_is_read_in_growing_steps() -> None:
    """More recipients than fit the first read."""
    many = [build.x25519(bytes([number]) * 32) for number in range(1, 200)]
    reader = Fetched(build.age_file(b"hello", *many, build.x25519())).reader()
    assert reader.read(0, 10) == b"hello"


def test_long_reads_are_split() -> None:
    """No fetch is larger than a few MiB, however long the read."""
    data = content(200 * CHUNK)
    fetched = Fetched(build.age_file(data))
    assert fetched.reader().read(1, len(data)) == data[1:]
    assert max(length for _, length in fetched.ranges) <= 64 * (CHUNK + 16)


DAMAGE: dict[str, Callable[[bytes], bytes]] = {
    "cut by a byte": lambda file: file[:-1],
    "cut to a chunk border": lambda file: file[: -100 - 16],
    "cut by a chunk": lambda file: file[: -100 - 16 - CHUNK - 16],
    "cut inside the nonce": lambda file: file[: file.index(b"\n--- ") + 5 + 44 + 3],
    "cut after the nonce": lambda file: file[: len(build.header(build.x25519())) + 16],
    "cut inside the header": lambda file: file[:60],
    "extended": lambda file: file + b"\0",
    "extended by a chunk": lambda file: file + bytes(CHUNK + 16),
    "header changed": lambda file: file.replace(b"-> X25519", b"-> x25519", 1) + b"",
    "final chunk changed": lambda file: file[:-1] + bytes([file[-1] ^ 1]),
    "empty": lambda file: b"",
    "text": lambda file: b"no age file" * 1000,
}


@pytest.mark.parametrize("change", DAMAGE.values(), ids=DAMAGE)
def test_damaged_file_is_refused_before_its_size_is_told(change: Callable[[bytes], bytes]) -> None:
    """The final chunk is authenticated first, or the size could be a lie."""
    with pytest.raises(DecryptError):
        Fetched(change(FILES[SIZES[-1]])).reader()


def test_changed_chunk_in_the_middle_is_refused_when_read() -> None:
    """Others can still be read."""
    file = bytearray(FILES[SIZES[-1]])
    file[len(build.header(build.x25519())) + 16 + CHUNK + 16 + 5] ^= 1
    reader = Fetched(bytes(file)).reader()
    assert reader.read(0, CHUNK) == content(CHUNK)
    with pytest.raises(DecryptError, match="chunk 1 was changed"):
        reader.read(CHUNK, 1)
    assert reader.read(2 * CHUNK, 100) == content(SIZES[-1])[2 * CHUNK :][:100]


def test_empty_final_chunk_is_refused() -> None:
    """It may stand only where the whole payload is empty."""
    file = build.header(build.x25519()) + build.NONCE
    file += build.chunk(0, bytes(CHUNK), is_final=False) + build.chunk(1, b"", is_final=True)
    with pytest.raises(DecryptError, match="cut short"):
        Fetched(file).reader()


def test_foreign_and_armored_files_are_refused() -> None:
    """Each with its own error."""
    with pytest.raises(NoIdentityMatch):
        Fetched(build.age_file(b"hello", build.x25519(build.OTHER_SECRET))).reader()
    with pytest.raises(DecryptError, match="only binary files can be read from the middle"):
        Fetched(build.armor(build.age_file())).reader()


def test_short_fetch_is_refused_and_errors_pass_through() -> None:
    """A store that returns less than it has must not shorten the plaintext."""
    file = FILES[SIZES[-1]]
    with pytest.raises(DecryptError, match="bytes came where"):
        age.RangeReader(lambda offset, length: file[offset : offset + length - 1], len(file), (IDENTITY,))

    def gone(offset: int, length: int) -> bytes:
        raise ObjectMissing("shard is gone")

    with pytest.raises(ObjectMissing):
        age.RangeReader(gone, len(file), (IDENTITY,))


def test_negative_ranges_are_a_mistake() -> None:
    """They never silently read from the end."""
    with pytest.raises(ValueError):
        Fetched(FILES[1]).reader().read(-1, 1)

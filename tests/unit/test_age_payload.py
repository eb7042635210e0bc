"""The payload: any pieces in, the same bytes out, and every change, cut, swap or addition refused."""

from collections.abc import Iterator

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

import age_builder as build
from holdfast.crypto import age
from holdfast.crypto.chunks import chunks
from holdfast.crypto.payload import SEALED_CHUNK_BYTES
from holdfast.crypto.x25519 import X25519Identity
from holdfast.errors import DecryptError

IDENTITY = X25519Identity(build.SECRET)
HEADER = build.header(build.x25519())
CHUNK = build.CHUNK
NEAR_BORDERS = sorted(size for count in range(3) for size in range(count * CHUNK - 17, count * CHUNK + 18) if size >= 0)


def content(size: int) -> bytes:
    """Bytes that differ from chunk to chunk."""
    return (b"%015d\n" * (size // 16 + 1) % tuple(range(size // 16 + 1)))[:size]


def cut(data: bytes, sizes: list[int]) -> Iterator[bytes]:
    """``data`` in pieces of the given sizes, over and over."""
    start, turn = 0, 0
    while start < len(data):
        size = sizes[turn % len(sizes)]
        yield data[start : start + size]
        start, turn = start + size, turn + 1


def released(file: bytes) -> tuple[bytes, str | None]:
    """(what was released, the error in the end)."""
    out = bytearray()
    try:
        for piece in age.decrypt([file], (IDENTITY,)):
            out += piece
    except DecryptError as error:
        return bytes(out), error.message
    return bytes(out), None


pieces_sizes = st.lists(st.integers(0, 3 * CHUNK), min_size=1, max_size=6).filter(any)


@settings(max_examples=60)
@given(st.sampled_from(NEAR_BORDERS) | st.integers(0, 5 * CHUNK), pieces_sizes, pieces_sizes)
@example(0, [1], [1])
@example(CHUNK, [CHUNK], [CHUNK + 16])
@example(17 * CHUNK + 5, [1 << 20], [1 << 20])
def test_round_trip(size: int, plain_cut: list[int], cipher_cut: list[int]) -> None:
    """Sizes around the chunk borders, pieces of any sizes, empty ones too."""
    data = content(size)
    file = b"".join(age.encrypt(cut(data, plain_cut), [IDENTITY.recipient()]))
    plain = list(age.decrypt(cut(file, cipher_cut), (IDENTITY,)))
    assert b"".join(plain) == data
    assert all(isinstance(piece, bytes) and piece for piece in plain)


@pytest.mark.parametrize("kind", [bytes, bytearray, memoryview])
def test_any_bytes_like_piece_is_taken(kind: type) -> None:
    """Stores hand out buffers that are not bytes."""
    file = b"".join(age.encrypt([kind(b"ab"), kind(b""), kind(b"c")], [IDENTITY.recipient()]))
    assert b"".join(age.decrypt([kind(file[:100]), kind(file[100:])], (IDENTITY,))) == b"abc"


def test_pieces_may_be_kept_by_who_gets_them() -> None:
    """No yielded piece changes when the next one is made."""
    data = content(40 * CHUNK)
    kept = list(age.encrypt([data], [IDENTITY.recipient()]))
    assert len(kept) > 3
    assert b"".join(age.decrypt(kept, (IDENTITY,))) == data


def test_two_encryptions_share_nothing() -> None:
    """Keys, shares and nonces are fresh for every file."""
    first, second = (b"".join(age.encrypt([b"same"], [IDENTITY.recipient()])) for _ in range(2))
    lines = [set(file.split(b"\n")[1:4]) for file in (first, second)]
    assert not lines[0] & lines[1]
    assert first[-20:] != second[-20:]


@settings(max_examples=60)
@given(st.lists(st.binary(max_size=20), max_size=20), st.integers(1, 9))
def test_chunks_cut_any_pieces(pieces: list[bytes], size: int) -> None:
    """All full but the last, exactly one last, nothing lost."""
    found = [(bytes(chunk), is_last) for chunk, is_last in chunks(pieces, size)]
    assert b"".join(chunk for chunk, _ in found) == b"".join(pieces)
    assert [is_last for _, is_last in found] == [False] * (len(found) - 1) + [True]
    assert all(len(chunk) == size for chunk, _ in found[:-1])
    assert len(found) == 1 or found[-1][0]


def part(number: int, data: bytes, *, final: bool) -> bytes:
    """One sealed chunk."""
    return build.chunk(number, data, is_final=final)


A, B, C = (bytes([letter]) * CHUNK for letter in b"abc")
NONCE = build.NONCE
WRONG_PAYLOADS: dict[str, tuple[bytes, bytes]] = {
    "no nonce": (b"", b""),
    "short nonce": (NONCE[:15], b""),
    "no chunk": (NONCE, b""),
    "less than a tag": (NONCE + bytes(15), b""),
    "tag cut": (NONCE + part(0, b"hello", final=True)[:-1], b""),
    "tag wrong": (NONCE + part(0, b"hello", final=True)[:-1] + b"\0", b""),
    "not final": (NONCE + part(0, b"hello", final=False), b""),
    "full and not final": (NONCE + part(0, A, final=False), A),
    "two and not final": (NONCE + part(0, A, final=False) + part(1, b"b", final=False), A),
    "two full and not final": (NONCE + part(0, A, final=False) + part(1, B, final=False), A + B),
    "last chunk missing, cut inside": (NONCE + part(0, A, final=False) + part(1, B, final=True)[:-1], A),
    "empty final chunk": (NONCE + part(0, A, final=False) + part(1, b"", final=True), A),
    "empty chunk not final": (NONCE + part(0, b"", final=False), b""),
    "short chunk in front": (NONCE + part(0, b"a", final=False) + part(1, b"b", final=True), b""),
    "second chunk less than a tag": (NONCE + part(0, A, final=False) + bytes(12), A),
    "byte after a final chunk": (NONCE + part(0, A, final=True) + b"\0", A),
    "garbage after a final chunk": (NONCE + part(0, A, final=True) + bytes(20), A),
    "garbage after a short final chunk": (NONCE + part(0, b"hello", final=True) + bytes(20), b""),
    "two final chunks": (NONCE + part(0, A, final=True) + part(1, b"b", final=True), A),
    "two full final chunks": (NONCE + part(0, A, final=True) + part(1, B, final=True), A),
    "chunks swapped": (NONCE + part(1, A, final=False) + part(0, B, final=False) + part(2, C, final=True), b""),
    "chunk left out": (NONCE + part(0, A, final=False) + part(2, C, final=True), A),
    "chunk doubled": (NONCE + part(0, A, final=False) * 2 + part(1, C, final=True), A),
    "counter starts at one": (NONCE + part(1, b"a", final=True), b""),
    "nonce of another file": (bytes(16) + part(0, b"a", final=True), b""),
    "other file key": (build.payload(b"hello", bytes(16)), b""),
}


@pytest.mark.parametrize(("payload", "sound"), WRONG_PAYLOADS.values(), ids=WRONG_PAYLOADS)
def test_wrong_payload_is_refused(payload: bytes, sound: bytes) -> None:
    """Exactly the chunks that are authentic at their place come out, then an error."""
    plain, error = released(HEADER + payload)
    assert plain == sound
    assert error is not None


@pytest.mark.parametrize("size", [0, 1, CHUNK - 1, CHUNK, CHUNK + 1, 2 * CHUNK, 300 * CHUNK])
def test_right_payload_is_read(size: int) -> None:
    """As built by other code; the longest one carries the chunk counter into its second byte."""
    data = content(size)
    assert released(HEADER + build.payload(data)) == (data, None)


@settings(max_examples=200)
@given(st.data())
def test_any_flipped_bit_is_refused(draw: st.DataObject) -> None:
    """No bit of nonce, ciphertext or tag can change, and no plaintext of its chunk comes out."""
    data = content(2 * CHUNK + 100)
    file = bytearray(HEADER + build.payload(data))
    place = draw.draw(st.integers(len(HEADER), len(file) - 1))
    file[place] ^= 1 << draw.draw(st.integers(0, 7))
    plain, error = released(bytes(file))
    before = max(0, place - len(HEADER) - 16) // SEALED_CHUNK_BYTES * CHUNK
    assert (plain, error is not None) == (data[:before], True)


@settings(max_examples=200)
@given(st.sampled_from([0, 1, CHUNK - 1, CHUNK, CHUNK + 1, 3 * CHUNK]), st.data())
def test_any_truncation_is_refused(size: int, draw: st.DataObject) -> None:
    """Chunk borders, where a cut is hardest to see, are tried as often as all other places."""
    file = HEADER + build.payload(content(size))
    borders = [at for at in range(len(HEADER) + 16, len(file), SEALED_CHUNK_BYTES) if at < len(file)]
    length = draw.draw(st.integers(0, len(file) - 1) | st.sampled_from(borders))
    plain, error = released(file[:length])
    assert content(size).startswith(plain)
    assert len(plain) < max(size, 1)
    assert error is not None


@settings(max_examples=50)
@given(
    st.sampled_from([0, 1, CHUNK - 1, CHUNK, CHUNK + 1]),
    st.binary(min_size=1, max_size=100) | st.just(bytes(CHUNK + 16)),
)
def test_any_extension_is_refused(size: int, more: bytes) -> None:
    """Nothing may follow the final chunk."""
    assert released(HEADER + build.payload(content(size)) + more)[1] is not None


def test_an_error_of_the_source_passes_through() -> None:
    """Encryption of a stream that breaks must not look complete."""

    def broken() -> Iterator[bytes]:
        yield content(CHUNK + 1)
        raise ConnectionResetError

    out = bytearray()
    with pytest.raises(ConnectionResetError):
        for piece in age.encrypt(broken(), [IDENTITY.recipient()]):
            out += piece
    assert released(bytes(out))[1] is not None

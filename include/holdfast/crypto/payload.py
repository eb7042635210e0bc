"""The payload of an age file: 64 KiB chunks, each sealed with its number and whether it is the final one."""

from __future__ import annotations

from collections.abc import Buffer, Iterable, Iterator

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305

from holdfast.crypto.chunks import chunks
from holdfast.crypto.wrapping import derive_key
from holdfast.errors import DecryptError

NONCE_BYTES = 16
CHUNK_BYTES = 64 * 1024
TAG_BYTES = 16
SEALED_CHUNK_BYTES = CHUNK_BYTES + TAG_BYTES

# Pieces of about 1 MiB: large enough that per-piece costs vanish, small enough to stay in a cache.
_BATCH_CHUNKS = 16


class Payload:
    """Seals and opens the chunks of one file."""

    __slots__ = ("_cipher",)

    def __init__(self, file_key: bytes, nonce: bytes) -> None:
        self._cipher = ChaCha20Poly1305(derive_key(file_key, salt=nonce, info=b"payload"))

    def encrypt(self, pieces: Iterable[bytes]) -> Iterator[bytes]:
        """Ciphertext in pieces of about 1 MiB; memory stays constant."""
        out = memoryview(bytearray(_BATCH_CHUNKS * SEALED_CHUNK_BYTES))
        filled = 0
        for number, (chunk, is_final) in enumerate(chunks(pieces, CHUNK_BYTES)):
            end = filled + len(chunk) + TAG_BYTES
            self._cipher.encrypt_into(_nonce(number, is_final), chunk, None, out[filled:end])
            filled = end
            if is_final or filled == len(out):
                yield bytes(out[:filled])
                filled = 0

    def decrypt(self, pieces: Iterable[bytes]) -> Iterator[bytes]:
        """Plaintext in pieces of up to 1 MiB, every byte authenticated; memory stays constant.

        Raises DecryptError where a chunk is changed, out of order, missing or one too many; what stood
        in front of it has been yielded by then, so only a normal end makes the plaintext complete.
        """
        out = memoryview(bytearray(_BATCH_CHUNKS * CHUNK_BYTES))
        filled = 0
        for number, (chunk, is_final) in enumerate(chunks(pieces, SEALED_CHUNK_BYTES)):
            size, fault = self._open_streamed(number, chunk, is_final, out[filled:])
            filled += size
            if filled and (fault or is_final or filled == len(out)):
                yield bytes(out[:filled])
                filled = 0
            if fault:
                raise DecryptError(fault)

    def open_chunk(self, number: int, chunk: Buffer, *, is_final: bool) -> bytes | None:
        """The plaintext of one chunk, or None where it is not what was sealed at that place."""
        try:
            return self._cipher.decrypt(_nonce(number, is_final), chunk, None)
        except InvalidTag:
            return None

    def _open_streamed(
        self, number: int, chunk: memoryview, is_final: bool, out: memoryview
    ) -> tuple[int, str | None]:
        """(authenticated bytes put into ``out``, what is wrong with the stream here)."""
        if len(chunk) < TAG_BYTES:
            return 0, "age payload: cut short, its final chunk is missing"
        if len(chunk) == TAG_BYTES and number:
            return 0, "age payload: its final chunk is empty"
        if self._open_into(number, chunk, is_final, out):
            return len(chunk) - TAG_BYTES, None
        # A full chunk may be whole and only stand in the wrong place, which tells cut from changed.
        if len(chunk) == SEALED_CHUNK_BYTES and self._open_into(number, chunk, not is_final, out):
            reason = "cut short, its final chunk is missing" if is_final else "more bytes follow its final chunk"
            return CHUNK_BYTES, f"age payload: {reason}"
        return 0, f"age payload: chunk {number} was changed, cut short or moved"

    def _open_into(self, number: int, chunk: memoryview, is_final: bool, out: memoryview) -> bool:
        try:
            self._cipher.decrypt_into(_nonce(number, is_final), chunk, None, out[: len(chunk) - TAG_BYTES])
        except InvalidTag:
            return False
        return True


def _nonce(number: int, is_final: bool) -> bytes:
    """An 11-byte big-endian counter and the final flag; 2**88 chunks are more than any file has."""
    return (number << 8 | is_final).to_bytes(12, "big")

"""The payload of an age file: 64 KiB chunks, each sealed with its number and whether it is the final one."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305

from holdfast.crypto.chunks import chunks
from holdfast.crypto.wrapping import derive_key
from holdfast.errors import DecryptError

NONCE_BYTES = 16
CHUNK_BYTES = 64 * 1024
TAG_BYTES = 16
SEALED_CHUNK_BYTES = CHUNK_BYTES + TAG_BYTES

# Ciphertext goes to a store, for which pieces of about 1 MiB are cheapest; plaintext goes to pipes and hashes,
# for which single chunks are, and need no buffer that could show bytes before they are authenticated.
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
        """Plaintext in pieces of up to 64 KiB, every byte authenticated; memory stays constant.

        Raises DecryptError where a chunk is changed, out of order, missing or one too many; what stood
        in front of it has been yielded by then, so only a normal end makes the plaintext complete.
        """
        for number, (chunk, is_final) in enumerate(chunks(pieces, SEALED_CHUNK_BYTES)):
            plain = self.open_chunk(number, chunk, is_final=is_final)
            if plain is None:
                yield from self._misplaced(number, chunk, is_final=is_final)
                raise DecryptError(f"age payload: chunk {number} was changed, cut short or moved")
            if plain:
                yield plain
            elif number:
                raise DecryptError("age payload: its final chunk is empty")

    def open_chunk(self, number: int, chunk: memoryview, *, is_final: bool) -> bytes | None:
        """The plaintext of one chunk, or None where it is not what was sealed at that place."""
        try:
            return self._cipher.decrypt(_nonce(number, is_final), chunk, None)
        except InvalidTag:
            return None

    def open_into(self, number: int, chunk: memoryview, out: memoryview, *, is_final: bool) -> bool:
        """Write the plaintext of one chunk to ``out``, which has its length; False where it is not what was sealed."""
        try:
            self._cipher.decrypt_into(_nonce(number, is_final), chunk, None, out)
        except InvalidTag:
            return False
        return True

    def _misplaced(self, number: int, chunk: memoryview, *, is_final: bool) -> Iterator[bytes]:
        """Yield and complain about a whole chunk whose final flag alone does not fit where it stands."""
        if len(chunk) < TAG_BYTES:
            raise DecryptError("age payload: cut short, its final chunk is missing")
        if len(chunk) < SEALED_CHUNK_BYTES:
            return
        plain = self.open_chunk(number, chunk, is_final=not is_final)
        if plain is not None:
            yield plain
            reason = "cut short, its final chunk is missing" if is_final else "more bytes follow its final chunk"
            raise DecryptError(f"age payload: {reason}")


def _nonce(number: int, is_final: bool) -> bytes:
    """An 11-byte big-endian counter and the final flag; 2**88 chunks are more than any file has."""
    return (number << 8 | is_final).to_bytes(12, "big")

"""Reads a damaged age file as far as it is sound: a chunk that is not authentic is left out, the others are given.

Each chunk is sealed by itself with its number, so one flipped byte costs 64 KiB and not all that follows it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import chain

from holdfast.crypto.chunks import chunks
from holdfast.crypto.header import MAX_HEADER_BYTES, Header, header_length
from holdfast.crypto.payload import CHUNK_BYTES, NONCE_BYTES, SEALED_CHUNK_BYTES, TAG_BYTES, Payload
from holdfast.crypto.stanza import Identity
from holdfast.crypto.unwrap import unwrap_file_key
from holdfast.errors import DecryptError

_BATCH_BYTES = 16 * CHUNK_BYTES


class Salvage:
    """The sound plaintext of one binary age file that had ``size_bytes`` when it was written.

    After ``pieces`` ended, ``lost`` holds the (offset, length) of plaintext that could not be had, and ``fault``
    says in words what is wrong with the file, None where it is sound to its last byte.
    """

    def __init__(self, stored: Iterable[bytes], identities: Sequence[Identity], size_bytes: int) -> None:
        self._stored = self._within(stored)
        self._identities = identities
        self._size_bytes = size_bytes
        self.lost: list[tuple[int, int]] = []
        self.fault: str | None = None

    def pieces(self) -> Iterator[tuple[int, memoryview]]:
        """(offset in the plaintext, bytes of up to 1 MiB); a piece is valid until the next one is asked for.

        Raises DecryptError (NoIdentityMatch) where already the header cannot be read.
        """
        start, length = self._header()
        payload = Payload(unwrap_file_key(Header.parse(start[:length]), self._identities), start[length:][:NONCE_BYTES])
        sealed_bytes = self._size_bytes - length - NONCE_BYTES
        final = max(0, (sealed_bytes - 1) // SEALED_CHUNK_BYTES)
        self._plain_bytes = max(0, sealed_bytes - (final + 1) * TAG_BYTES)
        yield from self._opened(payload, chain([start[length + NONCE_BYTES :]], self._stored), final)

    def _within(self, stored: Iterable[bytes]) -> Iterator[bytes]:
        """The bytes that belong to the file: who appended to it has not changed it."""
        left = self._size_bytes
        for piece in stored:
            if len(piece) > left:
                self.fault = "more bytes follow its end"
                piece = piece[:left]
            if piece:
                yield piece
            left -= len(piece)

    def _opened(self, payload: Payload, sealed: Iterable[bytes], final: int) -> Iterator[tuple[int, memoryview]]:
        """Sound chunks that lie side by side are given together."""
        out = memoryview(bytearray(_BATCH_BYTES))
        begin = filled = 0
        number = -1
        for number, (chunk, _) in enumerate(chunks(sealed, SEALED_CHUNK_BYTES)):
            size = len(chunk) - TAG_BYTES
            if filled + max(size, 0) > _BATCH_BYTES:
                yield begin, out[:filled]
                begin, filled = begin + filled, 0
            is_sound = size >= 0 and payload.open_into(
                number, chunk, out[filled : filled + size], is_final=number == final
            )
            if is_sound:
                filled += size
                continue
            if filled:
                yield begin, out[:filled]
            begin, filled = (number + 1) * CHUNK_BYTES, 0
            self._lose(number, number)
        if filled:
            yield begin, out[:filled]
        if number < final:
            self._lose(number + 1, final)
            self.fault = "cut short"

    def _lose(self, first: int, last: int) -> None:
        offset = first * CHUNK_BYTES
        self.lost.append((offset, min((last + 1) * CHUNK_BYTES, self._plain_bytes) - offset))
        self.fault = self.fault or "bytes were changed in it"

    def _header(self) -> tuple[bytes, int]:
        start = b""
        for piece in self._stored:
            start += piece
            length = header_length(start)
            if length is not None and len(start) >= length + NONCE_BYTES:
                return start, length
            if len(start) > MAX_HEADER_BYTES + NONCE_BYTES:
                break
        raise DecryptError("age header: cut short" if start else "not an age file: it is empty")

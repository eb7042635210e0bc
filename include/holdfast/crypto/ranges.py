"""Reads the plaintext of an age file from anywhere in its middle, fetching only the chunks it needs."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from holdfast.crypto.armor import is_armored
from holdfast.crypto.header import MAX_HEADER_BYTES, Header, header_length
from holdfast.crypto.payload import CHUNK_BYTES, NONCE_BYTES, SEALED_CHUNK_BYTES, TAG_BYTES, Payload
from holdfast.crypto.stanza import Identity
from holdfast.crypto.unwrap import unwrap_file_key
from holdfast.errors import DecryptError

_FIRST_READ_BYTES = 4096
_CHUNKS_PER_READ = 64


class RangeReader:
    """Random access to one binary age file of ``size_bytes``, read through ``read_range(offset, length)``.

    The header and the final chunk are authenticated when it is made, so ``size_bytes`` of the plaintext can
    be trusted (age.md, "Payload"). Raises DecryptError; what ``read_range`` raises passes through. Not for
    several threads at once.
    """

    __slots__ = ("_cached", "_final", "_payload", "_payload_offset", "_read_range", "size_bytes")

    def __init__(
        self, read_range: Callable[[int, int], bytes], size_bytes: int, identities: Sequence[Identity]
    ) -> None:
        self._read_range = read_range
        start, length = self._read_header(size_bytes)
        file_key = unwrap_file_key(Header.parse(start[:length]), identities)
        self._payload_offset = length + NONCE_BYTES
        self._payload = Payload(file_key, start[length : self._payload_offset])
        sealed_bytes = size_bytes - self._payload_offset
        self._final = max(0, (sealed_bytes - 1) // SEALED_CHUNK_BYTES)
        final_bytes = sealed_bytes - self._final * SEALED_CHUNK_BYTES - TAG_BYTES
        if final_bytes < 0 or (final_bytes == 0 and self._final):
            raise DecryptError("age payload: cut short, its final chunk is missing")
        self.size_bytes = self._final * CHUNK_BYTES + final_bytes
        """Bytes of the plaintext."""
        self._cached = (-1, b"")
        for _ in self._chunks(self._final, self._final):
            pass

    def read(self, offset: int, length: int) -> bytes:
        """``length`` bytes of plaintext from ``offset``, fewer where it ends before."""
        return b"".join(self.pieces(offset, length))

    def pieces(self, offset: int, length: int) -> Iterator[bytes]:
        """The same in pieces of up to 64 KiB, in constant memory."""
        if offset < 0 or length < 0:
            raise ValueError("offset and length count from 0")
        end = min(offset + length, self.size_bytes)
        if offset >= end:
            return
        first = offset // CHUNK_BYTES
        for number, chunk in enumerate(self._chunks(first, (end - 1) // CHUNK_BYTES), start=first):
            base = number * CHUNK_BYTES
            yield chunk[max(0, offset - base) : end - base]

    def _read_header(self, size_bytes: int) -> tuple[bytes, int]:
        """(the file's first bytes, at least up to the end of the nonce; the header's length)."""
        wanted = _FIRST_READ_BYTES
        while True:
            start = self._read_exactly(0, min(wanted, size_bytes))
            if is_armored(start):
                raise DecryptError(
                    "age armor: only binary files can be read from the middle",
                    hint="Decrypt the file as a whole, or store it without armor.",
                )
            length = header_length(start)
            if length is not None and length + NONCE_BYTES <= len(start):
                return start, length
            if len(start) == size_bytes:
                raise DecryptError("age header: cut short")
            wanted = min(wanted * 4, MAX_HEADER_BYTES + NONCE_BYTES)

    def _chunks(self, first: int, last: int) -> Iterator[bytes]:
        """The plaintext of chunks ``first`` to ``last``; the newest is kept, because small reads come in rows."""
        number, chunk = self._cached
        if number == first:
            yield chunk
            first += 1
        while first <= last:
            count = min(_CHUNKS_PER_READ, last - first + 1)
            sealed = memoryview(self._read_sealed(first, count))
            for number in range(first, first + count):
                at = (number - first) * SEALED_CHUNK_BYTES
                chunk = self._open(number, sealed[at : at + SEALED_CHUNK_BYTES])
                self._cached = (number, chunk)
                yield chunk
            first += count

    def _read_sealed(self, first: int, count: int) -> bytes:
        length = count * SEALED_CHUNK_BYTES
        if first + count > self._final:
            length = self.size_bytes - first * CHUNK_BYTES + count * TAG_BYTES
        return self._read_exactly(self._payload_offset + first * SEALED_CHUNK_BYTES, length)

    def _open(self, number: int, sealed: memoryview) -> bytes:
        chunk = self._payload.open_chunk(number, sealed, is_final=number == self._final)
        if chunk is None:
            raise DecryptError(f"age payload: chunk {number} was changed, cut short or moved")
        return chunk

    def _read_exactly(self, offset: int, length: int) -> bytes:
        data = self._read_range(offset, length) if length else b""
        if len(data) != length:
            raise DecryptError(f"age file: {len(data)} bytes came where {length} lie at offset {offset}")
        return data

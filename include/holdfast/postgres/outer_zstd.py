"""A zstd frame around an archive whose client cannot compress so itself; ``zstd -d`` undoes it."""

from __future__ import annotations

from collections.abc import Generator, Iterable
from typing import IO, cast

import zstandard

from holdfast.errors import IntegrityError

_PIECE_BYTES = 1 << 20
# Of a frame of nothing. With less than a header before it, the reader takes the mark's frame for the first.
_LEAST_BYTES = len(zstandard.ZstdCompressor(write_checksum=True).compress(b""))
_MARK = b"the end " * 8
# Repetitive and with a checksum, so that its bytes do not hold the mark itself: read as the rest of a frame
# that was cut, they must not produce it.
_MARK_FRAME = zstandard.ZstdCompressor(write_checksum=True).compress(_MARK)


def compressed(pieces: Iterable[bytes], level: int) -> Generator[bytes, None, None]:
    """One frame with a checksum, in constant memory."""
    compressor = zstandard.ZstdCompressor(level=level, write_checksum=True).compressobj()
    for piece in pieces:
        squeezed = compressor.compress(piece)
        if squeezed:
            yield squeezed
    yield compressor.flush()


def decompressed(pieces: Iterable[bytes]) -> Generator[bytes, None, None]:
    """What the frame holds, in pieces of up to 1 MiB however well it was compressed.

    The reader bounds its pieces, but takes a frame that is cut off for a whole one. So a frame of our own
    is read behind it: its content comes out last exactly when the one before was complete. Raises
    IntegrityError for a frame that is damaged or cut.
    """
    source = _Marked(pieces)
    reader = zstandard.ZstdDecompressor().stream_reader(cast(IO[bytes], source), read_across_frames=True)
    held = b""
    try:
        while piece := reader.read(_PIECE_BYTES):
            held += piece
            yield held[: -len(_MARK)]
            held = held[-len(_MARK) :]
    except zstandard.ZstdError as error:
        raise IntegrityError(f"archive: damaged zstd frame: {error}") from error
    if held != _MARK or source.size_bytes < _LEAST_BYTES:
        raise IntegrityError("archive: its zstd frame is cut off")


class _Marked:
    """The pieces as a file to read, followed by the mark's frame."""

    def __init__(self, pieces: Iterable[bytes]) -> None:
        self._pieces = iter(pieces)
        self._rest = memoryview(b"")
        self._has_ended = False
        self.size_bytes = 0

    def read(self, size: int) -> bytes:
        """Up to ``size`` bytes; nothing at the end."""
        while not self._rest and not self._has_ended:
            piece = next(self._pieces, None)
            self._has_ended = piece is None
            self._rest = memoryview(_MARK_FRAME if piece is None else piece)
            self.size_bytes += len(piece or b"")
        taken, self._rest = bytes(self._rest[:size]), self._rest[size:]
        return taken

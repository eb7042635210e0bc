"""How much of an open segment's file is known to have been received: servers send no more than they have flushed."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

_PIECE_BYTES = 1 << 20
_ZEROS = bytes(_PIECE_BYTES)


def written_bytes(path: Path) -> int:
    """Where the last byte that is not zero ends; 0 for a file of zeros.

    The receiver makes its file of zeros and fills it from the front, so that all before such a byte is there; what is
    behind it may be there too, for WAL can end in zeros. Raises OSError.
    """
    with path.open("rb", buffering=0) as file:
        end = os.fstat(file.fileno()).st_size
        while end:
            start = (end - 1) // _PIECE_BYTES * _PIECE_BYTES
            piece = os.pread(file.fileno(), end - start, start)
            if piece != _ZEROS[: len(piece)]:
                return start + len(piece.rstrip(b"\0"))
            end = start
    return 0


def beginning(path: Path, size_bytes: int) -> Iterator[bytes]:
    """The first ``size_bytes`` of a file in pieces of 1 MiB; raises OSError, also for a file that is shorter."""
    with path.open("rb", buffering=0) as file:
        left = size_bytes
        while left:
            piece = file.read(min(left, _PIECE_BYTES))
            if not piece:
                raise OSError(f"{path.name}: is shorter than {size_bytes} bytes")
            left -= len(piece)
            yield piece

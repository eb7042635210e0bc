"""Compresses the tar of a base backup with all processors; ``zstd -d`` undoes it."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator

import zstandard

_LEVEL = 1
_PIECE_BYTES = 1 << 20
# Each worker holds a few MiB; more of them than this wait for the disk of the source.
_MOST_WORKERS = 8


def compressed(pieces: Iterable[bytes]) -> Iterator[bytes]:
    """One frame, in pieces of 1 MiB; memory grows with the number of processors only.

    It has no checksum, which would cost a tenth more: age proves every byte of it, and backup_manifest those within.
    """
    workers = min(len(os.sched_getaffinity(0)), _MOST_WORKERS)
    chunker = zstandard.ZstdCompressor(level=_LEVEL, threads=workers).chunker(chunk_size=_PIECE_BYTES)
    for piece in pieces:
        yield from chunker.compress(piece)
    yield from chunker.finish()  # type: ignore[no-untyped-call]

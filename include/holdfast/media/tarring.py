"""The tar that a shard is: members that GNU tar and bsdtar extract, with any name and any size."""

from __future__ import annotations

import tarfile
from collections.abc import Sequence

from holdfast.media.source import Found

BLOCK_BYTES = tarfile.BLOCKSIZE
END = bytes(2 * BLOCK_BYTES)
_NAMES = {"encoding": "utf-8", "errors": "surrogateescape"}


def member_header(found: Found) -> bytes:
    """All that precedes the bytes of a file that is stored whole."""
    return _info(found, found.path.decode(**_NAMES), found.size).tobuf(tarfile.GNU_FORMAT, **_NAMES)


def sparse_header(found: Found, extents: Sequence[tuple[int, int]]) -> bytes:
    """All that precedes the stored parts of a sparse file: header and map in the form PAX 1.0 of GNU tar."""
    name = found.path.decode(**_NAMES)
    ends = [*extents, (found.size, 0)]
    numbers = [len(ends), *(number for extent in ends for number in extent)]
    table = "".join(f"{number}\n" for number in numbers).encode()
    table += bytes(padding(len(table)))
    info = _info(found, f"GNUSparseFile.0/{name.rpartition('/')[2]}", len(table) + sum(size for _, size in extents))
    info.pax_headers = {
        "GNU.sparse.major": "1",
        "GNU.sparse.minor": "0",
        "GNU.sparse.name": name,
        "GNU.sparse.realsize": str(found.size),
    }
    return info.tobuf(tarfile.PAX_FORMAT, **_NAMES) + table


def padding(size: int) -> int:
    """Zero bytes that fill the last block of ``size`` bytes."""
    return -size % BLOCK_BYTES


def _info(found: Found, name: str, size: int) -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.size = size
    info.mode = found.mode
    info.mtime = max(0, found.mtime_ns // 1_000_000_000)
    return info

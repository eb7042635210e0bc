"""The tar that a shard is: members that GNU tar and bsdtar extract, with any name and any size."""

from __future__ import annotations

import tarfile
from collections.abc import Sequence

from holdfast.media.source import Found

BLOCK_BYTES = tarfile.BLOCKSIZE
END = bytes(2 * BLOCK_BYTES)
_NAMES = {"encoding": "utf-8", "errors": "surrogateescape"}
_MOST_NAME_BYTES = 100
_MOST_NUMBER = 1 << 33  # eleven octal digits
_PLAIN = tarfile.TarInfo().tobuf(tarfile.GNU_FORMAT, **_NAMES)
_OWNERS, _REST = _PLAIN[108:124], _PLAIN[156:]


def member_header(found: Found) -> bytes:
    """All that precedes the bytes of a file that is stored whole."""
    mtime = max(0, found.mtime_ns // 1_000_000_000)
    if len(found.path) <= _MOST_NAME_BYTES and found.size < _MOST_NUMBER and mtime < _MOST_NUMBER:
        return _plain_header(found, mtime)
    return _info(found, found.path.decode(**_NAMES), found.size).tobuf(tarfile.GNU_FORMAT, **_NAMES)


def _plain_header(found: Found, mtime: int) -> bytes:
    """What tarfile makes of a short name and common numbers, in a tenth of the time: most files are like that."""
    name = found.path.ljust(_MOST_NAME_BYTES, b"\0")
    start = b"%b%07o\0%b%011o\0%011o\0" % (name, found.mode & 0o7777, _OWNERS, found.size, mtime)
    checksum = sum(start) + sum(_REST) + 8 * ord(" ")
    return b"%b%06o\0 %b" % (start, checksum, _REST)


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

"""ASCII armor: an age file as strict PEM (RFC 7468, figure 3), recognised, read and written as a stream."""

from __future__ import annotations

import binascii
from collections.abc import Iterable, Iterator
from itertools import chain

from holdfast.crypto.chunks import chunks
from holdfast.errors import DecryptError

_BEGIN = b"-----BEGIN AGE ENCRYPTED FILE-----"
_END = b"-----END AGE ENCRYPTED FILE-----"
_HYPHENS = b"-----"
_COLUMNS = 64
_BYTES_PER_LINE = _COLUMNS // 4 * 3
_MAX_WHITESPACE_BYTES = 1024
_MAX_LINE_BYTES = 4096


def armored(pieces: Iterable[bytes]) -> Iterator[bytes]:
    """The armor of a stream."""
    yield _BEGIN + b"\n"
    for chunk, _is_last in chunks(pieces, _BYTES_PER_LINE * 1024):
        text = binascii.b2a_base64(chunk, newline=False)
        yield b"".join(text[start : start + _COLUMNS] + b"\n" for start in range(0, len(text), _COLUMNS))
    yield _END + b"\n"


def unarmored(pieces: Iterable[bytes]) -> Iterator[bytes]:
    """The same stream, freed of its armor where it has one; raises DecryptError while armor is read."""
    source = iter(pieces)
    start = b""
    for piece in source:
        start += bytes(piece)
        if len(start.lstrip()) >= len(_HYPHENS) or len(start) > _MAX_WHITESPACE_BYTES:
            break
    whole = chain([start], source)
    return _dearmored(whole) if is_armored(start) else whole


def is_armored(start: bytes) -> bool:
    """Whether a file that begins with ``start`` is meant to be armored."""
    return start.lstrip().startswith(_HYPHENS)


def _dearmored(pieces: Iterable[bytes]) -> Iterator[bytes]:
    batches = _lines(pieces)
    lines = _after_begin(batches)
    while _END not in lines:
        full = _count_full_lines(lines)
        yield _decoded(lines[:full])
        lines = lines[full:]
        # Past a line that is not full only its end may follow, and that may be in the next batch.
        following = next(batches, None)
        if following is None:
            raise DecryptError("age armor: its last line is missing")
        if len(lines) > 1 and lines[1] != _END:
            raise DecryptError("age armor: a line in the middle is not full")
        lines += following
    end = lines.index(_END)
    yield _decoded(lines[:end])
    _refuse_trailing(lines[end + 1 :], batches)

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
_READ_BYTES = 64 * 1024
_MAX_LEADING_BYTES = 1024
_MAX_LINE_BYTES = 1024


def armored(pieces: Iterable[bytes]) -> Iterator[bytes]:
    """The armor around a stream."""
    yield _BEGIN + b"\n"
    for chunk, _is_last in chunks(pieces, _BYTES_PER_LINE * 1024):
        text = binascii.b2a_base64(chunk, newline=False)
        yield b"".join(text[start : start + _COLUMNS] + b"\n" for start in range(0, len(text), _COLUMNS))
    yield _END + b"\n"


def unarmored(pieces: Iterable[bytes]) -> Iterator[bytes]:
    """The same stream, freed of its armor where it has one; iterating raises DecryptError for malformed armor."""
    source = iter(pieces)
    start = b""
    for piece in source:
        start += bytes(piece)
        if len(start.lstrip()) >= len(_HYPHENS) or len(start) > _MAX_LEADING_BYTES:
            break
    whole = chain([start], source)
    return _inside(whole) if is_armored(start) else whole


def is_armored(start: bytes) -> bool:
    """Whether a file that begins with ``start`` is meant to be armored."""
    return start.lstrip().startswith(_HYPHENS)


def _inside(pieces: Iterable[bytes]) -> Iterator[bytes]:
    batches = _lines(pieces)
    held: list[bytes] = []
    for batch in chain([_after_begin(batches)], batches):
        lines = held + batch
        if _END in lines:
            end = lines.index(_END)
            yield _decode(lines[:end], is_end=True)
            _refuse_more(chain([lines[end + 1 :]], batches))
            return
        # Whether a line may be short is known only once it is seen what follows it.
        yield _decode(lines[:-1], is_end=False)
        held = lines[-1:]
    raise DecryptError("age armor: cut short, its last line is missing")


def _lines(pieces: Iterable[bytes]) -> Iterator[list[bytes]]:
    rest = b""
    for chunk, _is_last in chunks(pieces, _READ_BYTES):
        *lines, rest = (rest + bytes(chunk)).split(b"\n")
        if len(rest) > _MAX_LINE_BYTES:
            raise DecryptError("age armor: a line is too long")
        yield [line.removesuffix(b"\r") for line in lines]
    yield [rest.removesuffix(b"\r")] if rest else []


def _after_begin(batches: Iterator[list[bytes]]) -> list[bytes]:
    """The lines after the first one, as far as read; only white space may stand in front of it."""
    skipped_bytes = 0
    for lines in batches:
        for place, line in enumerate(lines):
            if line == _BEGIN:
                return lines[place + 1 :]
            skipped_bytes += len(line) + 1
            if line.strip() or skipped_bytes > _MAX_LEADING_BYTES:
                raise DecryptError(f"age armor: its first line is not {_BEGIN.decode('ascii')}")
    raise DecryptError("age armor: cut short, its first line is incomplete")


def _decode(lines: list[bytes], *, is_end: bool) -> bytes:
    full = lines[:-1] if is_end else lines
    if any(len(line) != _COLUMNS for line in full):
        raise DecryptError(f"age armor: a line in the middle is not of {_COLUMNS} columns")
    if is_end and lines and not 0 < len(lines[-1]) <= _COLUMNS:
        raise DecryptError("age armor: the line before its last one is empty or too long")
    text = b"".join(lines)
    try:
        data = binascii.a2b_base64(text)
    except ValueError as error:
        raise DecryptError("age armor: not base64") from error
    # Encoding again refuses stray characters, misplaced padding and unused bits all at once.
    if binascii.b2a_base64(data, newline=False) != text:
        raise DecryptError("age armor: not canonical base64")
    if not is_end and text.endswith(b"="):
        raise DecryptError("age armor: padding in the middle")
    return data


def _refuse_more(batches: Iterable[list[bytes]]) -> None:
    for lines in batches:
        if any(line.strip() for line in lines):
            raise DecryptError("age armor: more follows its last line")

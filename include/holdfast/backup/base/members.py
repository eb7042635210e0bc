"""Looks at the members of a tar while it streams by: counts them, and keeps the few that are asked for."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping

from holdfast.errors import IntegrityError

_BLOCK = 512
_REGULAR = b"0\0"
_LARGE = 0x80

Taker = Callable[[bytes], None]
"""Is given a member's content, piece by piece."""


class TarMembers:
    """Regular files of a ustar stream: their number, their bytes together, and the content of those in ``takers``.

    ``is_complete``: the end of the archive was seen. Only headers are copied; what is not taken is stepped over.
    """

    def __init__(self, takers: Mapping[str, Taker]) -> None:
        self.files = 0
        self.data_bytes = 0
        self.is_complete = False
        self.taken: set[str] = set()
        self._takers = takers
        self._header = bytearray()
        self._taker: Taker | None = None
        self._content = 0  # bytes of the present member that are still to come
        self._skipped = 0  # bytes up to the next header, the padding of the content included

    def over(self, pieces: Iterable[bytes]) -> Iterator[bytes]:
        """The same pieces, unchanged; raises IntegrityError where they are no tar."""
        for piece in pieces:
            self._look(piece)
            yield piece

    def _look(self, piece: bytes) -> None:
        at, end = 0, len(piece)
        while at < end and not self.is_complete:
            if self._skipped:
                step = min(self._skipped, end - at)
                if self._taker is not None and self._content:
                    self._taker(piece[at : at + min(step, self._content)])
                self._content = max(0, self._content - step)
                self._skipped -= step
                at += step
                continue
            step = min(_BLOCK - len(self._header), end - at)
            self._header += piece[at : at + step]
            at += step
            if len(self._header) == _BLOCK:
                self._open(bytes(self._header))
                self._header.clear()

    def _open(self, header: bytes) -> None:
        if not any(header):
            self.is_complete = True
            return
        if header[257:262] != b"ustar":
            raise IntegrityError("base backup: what pg_basebackup writes is not the tar that was expected")
        size = _number(header[124:136])
        name = _text(header[345:500]) + "/" + _text(header[:100]) if header[345] else _text(header[:100])
        if header[156] in _REGULAR:
            self.files += 1
            self.data_bytes += size
        self._taker = self._takers.get(name.removeprefix("./"))
        if self._taker is not None:
            self.taken.add(name.removeprefix("./"))
        self._content = size
        self._skipped = -(-size // _BLOCK) * _BLOCK


def _text(field: bytes) -> str:
    return field.partition(b"\0")[0].decode(errors="surrogateescape")


def _number(field: bytes) -> int:
    """Octal digits, or where those do not suffice a binary number behind a set first bit."""
    if field[0] & _LARGE:
        return int.from_bytes(field[1:], "big")
    try:
        return int(field.strip(b" \0") or b"0", 8)
    except ValueError as error:
        raise IntegrityError("base backup: what pg_basebackup writes is not the tar that was expected") from error

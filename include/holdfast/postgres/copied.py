"""The tables in a script of pg_restore --data-only: for each the COPY command and its lines, in constant memory."""

from __future__ import annotations

import re
from collections.abc import Generator, Iterable, Iterator
from dataclasses import dataclass

from holdfast.errors import IntegrityError

_ENCODING = re.compile(rb"SET client_encoding = '([A-Za-z0-9_]+)';")
_END = b"\\.\n"


@dataclass(frozen=True, slots=True)
class Copied:
    """One table's rows: ``command`` is ``COPY name (columns) FROM stdin``, ``pieces`` are whole lines of its text form.

    Both are in ``encoding``. The pieces must be read to their end, or closed, before the next table is asked for.
    """

    command: bytes
    encoding: str
    pieces: Generator[bytes, None, None]


def copied_tables(script: Iterable[bytes]) -> Iterator[Copied]:
    """Every COPY of the script. Raises IntegrityError for one that does not end."""
    lines = _Lines(script)
    encoding = "UTF8"
    while (line := lines.next()) is not None:
        if found := _ENCODING.match(line):
            encoding = found[1].decode()
        elif line.startswith(b"COPY "):
            while not line.endswith(b" FROM stdin;\n"):
                # A name may hold a line break.
                more = lines.next()
                if more is None:
                    raise IntegrityError("archive: its rows are cut off")
                line += more
            rows = _rows(lines)
            yield Copied(line.removesuffix(b";\n"), encoding, rows)
            for _ in rows:
                pass


def _rows(lines: _Lines) -> Generator[bytes, None, None]:
    while True:
        block, is_last = lines.rows()
        if block:
            yield block
        if is_last:
            return


class _Lines:
    """The script line by line, and rows in blocks of lines."""

    def __init__(self, script: Iterable[bytes]) -> None:
        self._pieces = iter(script)
        self._rest = b""

    def next(self) -> bytes | None:
        """The next line with its break; None at the end."""
        while (end := self._rest.find(b"\n")) < 0:
            piece = next(self._pieces, None)
            if piece is None:
                line, self._rest = self._rest, b""
                return line or None
            self._rest += piece
        line, self._rest = self._rest[: end + 1], self._rest[end + 1 :]
        return line

    def rows(self) -> tuple[bytes, bool]:
        """Whole lines up to the mark of the end, which is told and taken away."""
        while True:
            if self._rest.startswith(_END):
                self._rest = self._rest[len(_END) :]
                return b"", True
            end = self._rest.find(b"\n" + _END)
            if end >= 0:
                block, self._rest = self._rest[: end + 1], self._rest[end + 1 + len(_END) :]
                return block, True
            # The last line may be the beginning of the mark.
            whole = self._rest.rfind(b"\n") + 1
            if whole:
                block, self._rest = self._rest[:whole], self._rest[whole:]
                return block, False
            piece = next(self._pieces, None)
            if piece is None:
                raise IntegrityError("archive: its rows are cut off")
            self._rest += piece

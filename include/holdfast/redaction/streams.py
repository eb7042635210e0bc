"""A text stream that lets no secret through: what a process prints, whoever prints it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, TextIO, cast


class _Redacted:
    """Passes everything on; text that is written goes through ``clean`` first. Bytes are not text, and untouched."""

    def __init__(self, stream: TextIO, clean: Callable[[str], str]) -> None:
        self._stream = stream
        self._clean = clean

    def write(self, text: str) -> int:
        """Write it without secrets; returns how much of ``text`` that was: all of it."""
        self._stream.write(self._clean(text))
        return len(text)

    def writelines(self, lines: Iterable[str]) -> None:
        """Write each."""
        for line in lines:
            self.write(line)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


def redacted_stream(stream: TextIO, clean: Callable[[str], str]) -> TextIO:
    """``stream``, written to through ``clean``."""
    return cast(TextIO, _Redacted(stream, clean))

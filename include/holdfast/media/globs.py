"""Which paths of a snapshot are meant: ``*`` stands for any part of one name, ``**`` for any number of folders."""

from __future__ import annotations

import re
from dataclasses import dataclass

from holdfast.errors import UsageError

_TOKEN = re.compile(rb"\\[*\\]|\*\*/|\*\*|\*|[^*\\]+|\\", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Glob:
    """One pattern. It means a path that fits as a whole, and, where that is a directory, everything below it.

    ``literal``: the path itself, where nothing in it is a pattern. ``prefix``: what every fitting path begins with.
    """

    text: str
    literal: bytes | None
    prefix: bytes
    pattern: re.Pattern[bytes]

    @classmethod
    def parse(cls, text: str) -> Glob:
        """Read one; ``\\*`` is a star itself. Raises UsageError where no path of a snapshot could fit."""
        raw = text.encode("utf-8", "surrogateescape")
        while raw.startswith(b"./"):
            raw = raw[2:]
        raw = raw.rstrip(b"/")
        if not raw or raw.startswith(b"/"):
            raise UsageError(
                f"path {text!r}: paths of a snapshot are relative to the media's root",
                hint="Write them as `holdfast media diff` shows them, such as courses/7/intro.mp4 or 'courses/**'.",
            )
        literal, prefix, expression = _translated(raw)
        return cls(text, literal, prefix, re.compile(expression + rb"(?:/.*)?", re.DOTALL))

    def fits(self, path: bytes) -> bool:
        """Whether that path, a directory's with or without its closing slash, is meant."""
        return self.pattern.fullmatch(path) is not None


def _translated(raw: bytes) -> tuple[bytes | None, bytes, bytes]:
    """(the path if there is no star, the beginning without a star, the regular expression)."""
    expression, prefix, is_literal = b"", b"", True
    for token in _TOKEN.findall(raw):
        if token == b"**/":
            expression += rb"(?:.*/)?" if not expression or expression.endswith(b"/") else rb".*/"
        elif token == b"**":
            expression += b".*"
        elif token == b"*":
            expression += b"[^/]*"
        else:
            plain = token[1:] if token in (rb"\*", rb"\\") else token
            expression += re.escape(plain)
            prefix += plain if is_literal else b""
            continue
        is_literal = False
    return (prefix if is_literal else None), prefix, expression

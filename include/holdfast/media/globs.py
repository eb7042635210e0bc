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
    # Runs between ``**``, each with what opens it, and in each the plain parts between ``*``.
    runs: list[tuple[bytes, list[bytes]]] = [(b"", [b""])]
    is_at_name = True
    for token in _TOKEN.findall(raw):
        if token == b"**/":
            runs.append((b"(?:.*?/)??" if is_at_name else b".*?/", [b""]))
            is_at_name = True
        elif token == b"**":
            runs.append((b".*?", [b""]))
            is_at_name = False
        elif token == b"*":
            runs[-1][1].append(b"")
            is_at_name = False
        else:
            plain = token[1:] if token in (rb"\*", rb"\\") else token
            runs[-1][1][-1] += plain
            is_at_name = plain.endswith(b"/")
    prefix = runs[0][1][0]
    is_literal = len(runs) == len(runs[0][1]) == 1
    return (prefix if is_literal else None), prefix, _expression(runs)


def _expression(runs: list[tuple[bytes, list[bytes]]]) -> bytes:
    """The regular expression, in which no star is tried again once what follows it was found.

    The first place where that fits will do: the next star takes at least whatever lies between it and a later one,
    for within a run all stars stay in one name, and the next run begins with one that does not. Only the very last
    star must end where the path does. So no pattern takes longer than a few times the square of a path's length.
    """
    expression = b""
    for number, (opening, (first, *others)) in enumerate(runs):
        is_last = number == len(runs) - 1
        run = opening + re.escape(first)
        for place, plain in enumerate(others):
            star = b"[^/]*?" + re.escape(plain)
            run += star if is_last and place == len(others) - 1 else b"(?>" + star + b")"
        expression += run if is_last else b"(?>" + run + b")"
    return expression

"""Lays the present walk beside the last snapshot's listing: both are in the same order."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from holdfast.media.entries import path_of
from holdfast.media.source import Found


def beside(walk: Iterable[Found], blocks: Iterable[list[bytes]]) -> Iterator[tuple[Found, bytes | None]]:
    """Each path of the walk with the line that begins as its own does, where the last snapshot has one.

    Lines are parsed only around what was added, changed or removed.
    """
    lines = (line for block in blocks for line in block)
    line = next(lines, None)
    path: bytes | None = None
    for found in walk:
        if line is not None and line.startswith(found.line):
            yield found, line
            line, path = next(lines, None), None
            continue
        while line is not None:
            path = path_of(line) if path is None else path
            if path >= found.path:
                break
            line, path = next(lines, None), None
        if line is None or path != found.path:
            yield found, None
            continue
        yield found, line if line.startswith(found.line) else None
        line, path = next(lines, None), None

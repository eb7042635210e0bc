"""What `make run` says: one line at a time, each at once, and never a reason to fail."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Sequence

_STARTED = time.monotonic()


def say(text: str) -> None:
    """Print a line; a terminal or pipe that is gone must not keep us from stopping in order."""
    with contextlib.suppress(OSError):
        print(text, flush=True)


def tell(text: str) -> None:
    """Print a line of progress, with the seconds since the start."""
    say(f"[{time.monotonic() - _STARTED:5.1f} s] {text}")


def table(header: Sequence[str], rows: Sequence[Sequence[str]], *, numbers: frozenset[str] = frozenset()) -> str:
    """Columns as wide as their widest cell; those named in ``numbers`` are aligned to the right."""
    widths = [max(map(len, column)) for column in zip(header, *rows, strict=True)]
    aligned = [
        "  ".join(
            cell.rjust(width) if title in numbers else cell.ljust(width)
            for title, cell, width in zip(header, row, widths, strict=True)
        ).rstrip()
        for row in (header, ["-" * width for width in widths], *rows)
    ]
    return "\n".join(aligned)

"""Bytes in and out of the command line, for plaintext and age files."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Iterator

from holdfast.errors import UsageError

_PIECE_BYTES = 1 << 20


def from_stdin() -> Iterator[bytes]:
    """What comes on stdin, in pieces of up to 1 MiB, each as soon as it is there."""
    if sys.stdin is None:
        raise UsageError("stdin is closed", hint="Feed the data through a pipe or with < FILE.")
    while piece := os.read(sys.stdin.fileno(), _PIECE_BYTES):
        yield piece


def to_stdout(pieces: Iterable[bytes]) -> None:
    """Write everything to stdout."""
    for piece in pieces:
        sys.stdout.buffer.write(piece)
    sys.stdout.buffer.flush()

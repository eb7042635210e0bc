"""Counts and hashes bytes on their way to or from a store."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator


class Tally:
    """Size in bytes and SHA-256 of everything that passed through ``over``."""

    def __init__(self, advance: Callable[[int], None] | None = None) -> None:
        self.bytes = 0
        self._hash = hashlib.sha256()
        self._advance = advance

    def over(self, pieces: Iterable[bytes]) -> Iterator[bytes]:
        """The same pieces, unchanged; ``pieces`` is closed when the consumer stops early."""
        try:
            for piece in pieces:
                self._hash.update(piece)
                self.bytes += len(piece)
                if self._advance is not None:
                    self._advance(len(piece))
                yield piece
        finally:
            close = getattr(pieces, "close", None)
            if close is not None:
                close()

    @property
    def sha256(self) -> str:
        """SHA-256 in lower-case hexadecimal of what has passed so far."""
        return self._hash.hexdigest()

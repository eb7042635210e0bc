"""The bytes on their way into a store: told apart from the store's own failures, and ended with them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress


@contextmanager
def ended_on_failure(pieces: Iterable[bytes]) -> Iterator[None]:
    """If the block fails, end the generator that ``pieces`` is, and with it the program that feeds it."""
    try:
        yield
    except BaseException:
        close = getattr(pieces, "close", None)
        if close is not None:
            with suppress(Exception):  # the failure on its way up comes first
                close()
        raise


class Watched(Iterator[bytes]):
    """Passes pieces on, counts them, and keeps what went wrong; ``before_end`` runs when all have been taken.

    An exception of ``before_end`` counts as one of the pieces: whoever iterates must not finish.
    """

    def __init__(self, pieces: Iterator[bytes], before_end: Callable[[], None]) -> None:
        self._pieces = pieces
        self._before_end = before_end
        self.size_bytes = 0
        self.has_ended = False
        self.failure: BaseException | None = None

    def __next__(self) -> bytes:
        if self.has_ended:
            raise StopIteration
        try:
            piece = self._next()
        except BaseException as error:
            self.failure = error
            raise
        if piece is None:
            self.has_ended = True
            raise StopIteration
        self.size_bytes += len(piece)
        return piece

    def _next(self) -> bytes | None:
        for piece in self._pieces:
            if piece:  # to an uploader an empty piece may look like the end
                return piece
        self._before_end()
        return None

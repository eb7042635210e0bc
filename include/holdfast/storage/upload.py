"""Feeds an uploader, which pulls pieces in a thread of its own, while the producer runs in the caller's thread.

obstore pulls an iterator from inside its runtime, where no other call of obstore is possible and no signal is
seen. So the producer stays outside: it may itself read from a store, its programs keep the parent that started
them, and Ctrl-C reaches it however long the network hangs.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from concurrent.futures import wait as await_futures
from queue import Empty, Full, Queue

_WAITING_PIECES = 4
_LOOK_S = 0.2
_ABORT_S = 10.0


class Upload:
    """One call of ``send`` with an iterator that yields what is written here.

    An upload that is not finished must be abandoned: then the iterator raises, by which ``send`` knows to
    undo what it has begun. Up to ``most_waiting`` pieces wait in memory.
    """

    def __init__(self, send: Callable[[Iterator[bytes]], object], *, most_waiting: int = _WAITING_PIECES) -> None:
        self._pieces: Queue[bytes | None] = Queue(most_waiting)
        self._is_abandoned = False
        self._outcome: Future[None] = Future()
        # Not waited for when the interpreter ends: the network may keep it for minutes.
        threading.Thread(target=self._run, args=(send,), name="upload", daemon=True).start()

    def write(self, piece: bytes) -> None:
        """Hand a piece over; waits while the uploader lags behind, and raises what it failed with."""
        self._hand_over(piece)

    def finish(self) -> None:
        """Say that all is written and wait until it is stored; raises what the uploader failed with."""
        self._hand_over(None)
        self._outcome.result()

    def abandon(self) -> None:
        """Make the uploader undo everything; waits for that, but not for ever."""
        self._is_abandoned = True
        while not self._outcome.done():
            try:
                self._pieces.put_nowait(None)
                break
            except Full:
                self._make_room()
        await_futures([self._outcome], timeout=_ABORT_S)

    def _hand_over(self, piece: bytes | None) -> None:
        while True:
            if self._outcome.done():
                self._outcome.result()
                raise RuntimeError("the upload ended before its pieces did")
            try:
                return self._pieces.put(piece, timeout=_LOOK_S)
            except Full:
                continue

    def _make_room(self) -> None:
        try:
            self._pieces.get_nowait()
        except Empty:
            return

    def _run(self, send: Callable[[Iterator[bytes]], object]) -> None:
        try:
            send(self._pulled())
        except BaseException as error:
            self._outcome.set_exception(error)
        else:
            self._outcome.set_result(None)

    def _pulled(self) -> Iterator[bytes]:
        while (piece := self._pieces.get()) is not None and not self._is_abandoned:
            yield piece
        if self._is_abandoned:
            raise _Abandoned


class _Abandoned(Exception):
    """Tells the uploader that the rest will not come."""

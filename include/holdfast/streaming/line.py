"""The shipping line: a few threads that store pieces side by side, again and again while the store is away."""

from __future__ import annotations

import threading
import time
from collections import deque
from dataclasses import dataclass

from holdfast.errors import HoldfastError, TransientError
from holdfast.streaming.shipping import Cargo, Shipper, SpoolLost

_THREADS = 3
_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 0.5, 5.0


@dataclass
class Shipped:
    """What was stored so far."""

    segments: int = 0
    partials: int = 0
    wal_bytes: int = 0
    stored_bytes: int = 0


class ShippingLine:
    """Pieces are begun in the order in which they come. Nothing is dropped: a piece waits until the store takes it.

    ``error`` is the first failure that no further attempt can mend, ``outage`` why the store refuses at present.
    ``lost``: a file of the spool could not be read, so that its segment must be received anew.
    """

    def __init__(self, shipper: Shipper) -> None:
        self.shipped = Shipped()
        self.error: BaseException | None = None
        self.outage: TransientError | None = None
        self.lost = False
        self._shipper = shipper
        self._waiting: deque[Cargo] = deque()
        self._underway: list[Cargo] = []
        self._changed = threading.Condition()
        self._is_ending = False
        # Not waited for when the interpreter ends: the network may keep them for minutes.
        for number in range(_THREADS):
            threading.Thread(target=self._work, name=f"ship {number}", daemon=True).start()

    def submit(self, cargo: Cargo) -> None:
        """Have a piece stored after those before it."""
        with self._changed:
            self._waiting.append(cargo)
            self._changed.notify()

    def pending(self) -> list[Cargo]:
        """What is not stored yet."""
        with self._changed:
            return [*self._underway, *self._waiting]

    def drain(self, timeout_s: float) -> bool:
        """Wait until all is stored; False where time ran out, or there was a failure."""
        deadline = time.monotonic() + timeout_s
        with self._changed:
            while (self._waiting or self._underway) and self.error is None:
                left = deadline - time.monotonic()
                if left <= 0:
                    return False
                self._changed.wait(min(left, 0.2))
            return self.error is None

    def end(self) -> None:
        """Begin nothing more and repeat nothing; what is underway is not waited for."""
        with self._changed:
            self._is_ending = True
            self._changed.notify_all()

    def _work(self) -> None:
        while (cargo := self._next()) is not None:
            try:
                self._ship(cargo)
            except BaseException as error:
                with self._changed:
                    self.error = self.error or error
                    self._is_ending = True
            finally:
                with self._changed:
                    self._underway.remove(cargo)
                    self._changed.notify_all()

    def _next(self) -> Cargo | None:
        with self._changed:
            while not self._waiting and not self._is_ending:
                self._changed.wait()
            if self._is_ending:
                return None
            self._underway.append(self._waiting.popleft())
            return self._underway[-1]

    def _ship(self, cargo: Cargo) -> None:
        pause = _FIRST_PAUSE_S
        while True:
            try:
                stored = self._shipper.ship(cargo)
                break
            except SpoolLost:
                # An open segment is handed over again when it has grown.
                self.lost = self.lost or cargo.piece.kind == "segment"
                return
            except TransientError as error:
                self.outage = error
            with self._changed:
                if self._changed.wait_for(lambda: self._is_ending, pause):
                    return
            pause = min(2 * pause, _LONGEST_PAUSE_S)
        self.outage = None
        self._count(cargo, stored)
        cargo.done()
        try:
            self._shipper.clear(cargo.piece.file)
        except HoldfastError:
            # Less than what is there by now, and harmless: the next run finds them in its listing.
            return

    def _count(self, cargo: Cargo, stored: int) -> None:
        with self._changed:
            self.shipped.segments += cargo.piece.kind == "segment"
            self.shipped.partials += cargo.piece.kind == "partial"
            self.shipped.wal_bytes += cargo.size_bytes if cargo.piece.kind == "segment" else 0
            self.shipped.stored_bytes += stored

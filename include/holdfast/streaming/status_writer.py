"""Writes statuses into the store, beside the work: what the store does with them disturbs no streaming."""

from __future__ import annotations

import threading
import time
from contextlib import suppress
from datetime import datetime

from holdfast.catalog.wal_status import STATUSES_KEPT, WalStatusCatalog
from holdfast.environment import Environment
from holdfast.errors import HoldfastError
from holdfast.manifest.wal import WalStatus


class StatusWriter:
    """Of several that wait only the last is written. ``failure``: why the last one is not stored.

    ``known_caught_up_at`` is what the streamer before this one has said, once that is read.
    """

    def __init__(self, environment: Environment, system_identifier: str) -> None:
        self._catalog = WalStatusCatalog(environment.store, environment.keys)
        self._system, self._clock = system_identifier, environment.clock
        self._signer = environment.signer()
        self._earlier: list[str] | None = None
        self._names: list[str] = []
        self._waiting: WalStatus | None = None
        self._is_busy = self._is_ending = False
        self._changed = threading.Condition()
        self.failure: str | None = None
        self.known_caught_up_at: datetime | None = None
        # Not waited for when the interpreter ends: the network may keep it for minutes.
        threading.Thread(target=self._work, name="status", daemon=True).start()

    def submit(self, status: WalStatus) -> None:
        """Have it written in place of one that waits."""
        with self._changed:
            self._waiting = status
            self._changed.notify_all()

    def end(self, timeout_s: float) -> None:
        """Begin nothing more; what was submitted is waited for no longer than that."""
        deadline = time.monotonic() + timeout_s
        with self._changed:
            while (self._waiting is not None or self._is_busy) and (left := deadline - time.monotonic()) > 0:
                self._changed.wait(left)
            self._is_ending = True
            self._changed.notify_all()

    def _work(self) -> None:
        with suppress(HoldfastError):
            self._begin()
        while (status := self._next()) is not None:
            try:
                self._begin()
                self._catalog.write(status, self._signer)
                self._names.append(status.name)
                self.failure = None
                self._prune()
            except HoldfastError as error:
                self.failure = error.message
            finally:
                with self._changed:
                    self._is_busy = False
                    self._changed.notify_all()

    def _next(self) -> WalStatus | None:
        with self._changed:
            while self._waiting is None and not self._is_ending:
                self._changed.wait()
            if self._is_ending:
                return None
            found, self._waiting = self._waiting, None
            self._is_busy = True
            return found

    def _begin(self) -> None:
        """What earlier streamers have left, read once."""
        if self._earlier is not None:
            return
        earlier = self._catalog.names(self._system)
        now = self._clock()
        newest, _ = self._catalog.newest(self._system, self._signer.verifier(), now)
        if newest is not None and newest.status.caught_up_at is not None:
            self.known_caught_up_at = min(newest.status.caught_up_at, now)
        self._earlier = earlier

    def _prune(self) -> None:
        """Delete old ones, each once: what a store keeps, it keeps.

        Names behind the first own one are of a clock that was ahead, or of nobody here: left alone.
        """
        known = [*(name for name in self._earlier or () if name < self._names[0]), *self._names]
        self._earlier, self._names = [], known[-STATUSES_KEPT:]
        for name in known[:-STATUSES_KEPT]:
            with suppress(HoldfastError):
                self._catalog.delete(self._system, name)

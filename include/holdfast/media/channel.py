"""A bounded queue between threads that can be closed by its producers and broken by anyone."""

from __future__ import annotations

import threading
from collections import deque


class Broken(Exception):
    """The channel was broken: somebody failed or was interrupted, and all are to stop."""


class Channel[Item]:
    """At most ``capacity`` items wait in it; ``put`` waits for room, ``get`` for an item."""

    def __init__(self, capacity: int) -> None:
        self._capacity = capacity
        self._items: deque[Item] = deque()
        self._changed = threading.Condition()
        self._is_closed = False
        self._is_broken = False

    def put(self, item: Item) -> None:
        """Add an item; raises Broken."""
        with self._changed:
            while len(self._items) >= self._capacity and not self._is_broken:
                self._changed.wait(1.0)  # with a limit, so that Ctrl-C is seen
            if self._is_broken:
                raise Broken
            self._items.append(item)
            self._changed.notify()

    def get(self) -> Item | None:
        """The next item, None once the channel is closed and empty; raises Broken."""
        with self._changed:
            while not self._items and not self._is_closed and not self._is_broken:
                self._changed.wait(1.0)
            if self._is_broken:
                raise Broken
            if not self._items:
                return None
            self._changed.notify()
            return self._items.popleft()

    def close(self) -> None:
        """Nothing more will be put."""
        with self._changed:
            self._is_closed = True
            self._changed.notify_all()

    def break_off(self) -> None:
        """Make everybody stop who waits here or comes here."""
        with self._changed:
            self._is_broken = True
            self._changed.notify_all()

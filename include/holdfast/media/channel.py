"""A bounded queue between threads that can be closed by its producers and broken by anyone."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable


class Broken(Exception):
    """The channel was broken: somebody failed or was interrupted, and all are to stop."""


class Channel[Item]:
    """Items wait in it while they weigh less than ``capacity`` together; ``put`` waits for room, ``get`` for an item.

    Who waits for room is woken when half of it is free: waking somebody for every item would cost more than the item.
    """

    def __init__(self, capacity: int, weigh: Callable[[Item], int] = lambda item: 1) -> None:
        self._capacity = capacity
        self._weigh = weigh
        self._weight = 0
        self._items: deque[Item] = deque()
        lock = threading.Lock()
        self._has_items = threading.Condition(lock)
        self._has_room = threading.Condition(lock)
        self._is_closed = False
        self._is_broken = False

    def put(self, item: Item) -> None:
        """Add an item; raises Broken."""
        with self._has_room:
            while self._weight >= self._capacity and not self._is_broken:
                self._has_room.wait(1.0)  # with a limit, so that Ctrl-C is seen
            if self._is_broken:
                raise Broken
            self._items.append(item)
            self._weight += self._weigh(item)
            self._has_items.notify()

    def get(self) -> Item | None:
        """The next item, None once the channel is closed and empty; raises Broken."""
        with self._has_items:
            while not self._items and not self._is_closed and not self._is_broken:
                self._has_items.wait(1.0)
            if self._is_broken:
                raise Broken
            if not self._items:
                return None
            item = self._items.popleft()
            before, half = self._weight, self._capacity // 2
            self._weight -= self._weigh(item)
            if self._weight <= half < before:
                self._has_room.notify_all()
            return item

    def close(self) -> None:
        """Nothing more will be put."""
        with self._has_items:
            self._is_closed = True
            self._has_items.notify_all()

    def break_off(self) -> None:
        """Make everybody stop who waits here or comes here."""
        with self._has_items:
            self._is_broken = True
            self._has_items.notify_all()
            self._has_room.notify_all()

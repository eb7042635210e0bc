"""A store that fails at a chosen call, for faults that no real store produces on demand."""

from __future__ import annotations

import builtins
from collections.abc import Iterable, Iterator
from typing import Literal

from holdfast.errors import StoreError
from holdfast.storage.protocol import Store, StoredObject

Moment = Literal["before", "amid", "after"]


class FailingStore:
    """Passes calls on to ``inner``; its ``fail_at``-th call (from 1; 0: none) raises StoreError.

    ``moment`` says when: before anything is done; amid the bytes (of put, get, stream, read_range and list;
    for other calls the same as before); or after all was done, as when the answer is lost. ``calls`` lists
    operation and key of every call, so that a run without failure tells how many there are to try.
    """

    def __init__(self, inner: Store, *, fail_at: int = 0, moment: Moment = "before") -> None:
        self._inner = inner
        self._fail_at = fail_at
        self._moment = moment
        self.calls: list[tuple[str, str]] = []

    @property
    def url(self) -> str:
        return self._inner.url

    @property
    def has_failed(self) -> bool:
        """Was the chosen call made?"""
        return 0 < self._fail_at <= len(self.calls)

    def put(self, key: str, pieces: Iterable[bytes], *, size_hint_bytes: int | None = None) -> int:
        moment = self._begin("put", key)
        if moment == "amid":
            pieces = self._cut(pieces, key)
        size_bytes = self._inner.put(key, pieces, size_hint_bytes=size_hint_bytes)
        self._finish(moment, key)
        return size_bytes

    def get(self, key: str) -> bytes:
        moment = self._begin("get", key)
        content = self._inner.get(key)
        self._finish("after" if moment == "amid" else moment, key)
        return content

    def stream(self, key: str) -> Iterator[bytes]:
        moment = self._begin("stream", key)
        pieces = self._inner.stream(key)
        return self._until_the_end(self._cut(pieces, key) if moment == "amid" else pieces, moment, key)

    def read_range(self, key: str, offset: int, length: int) -> bytes:
        moment = self._begin("read_range", key)
        content = self._inner.read_range(key, offset, length)
        self._finish("after" if moment == "amid" else moment, key)
        return content

    def head(self, key: str) -> StoredObject:
        moment = self._begin("head", key)
        facts = self._inner.head(key)
        self._finish("after" if moment == "amid" else moment, key)
        return facts

    def list(self, prefix: str, *, after: str = "") -> Iterator[StoredObject]:
        moment = self._begin("list", prefix)
        found = self._inner.list(prefix, after=after)
        return self._until_the_end(self._cut(found, prefix) if moment == "amid" else found, moment, prefix)

    def folders(self, prefix: str) -> builtins.list[str]:
        moment = self._begin("folders", prefix)
        found = self._inner.folders(prefix)
        self._finish("after" if moment == "amid" else moment, prefix)
        return found

    def delete(self, key: str) -> None:
        moment = self._begin("delete", key)
        if moment == "amid":
            raise self._failure(key)
        self._inner.delete(key)
        self._finish(moment, key)

    def _begin(self, operation: str, key: str) -> Moment | None:
        """When this call is to fail; raises at once if that is before."""
        self.calls.append((operation, key))
        if len(self.calls) != self._fail_at:
            return None
        if self._moment == "before":
            raise self._failure(key)
        return self._moment

    def _finish(self, moment: Moment | None, key: str) -> None:
        if moment == "after":
            raise self._failure(key)

    def _cut[Item](self, items: Iterable[Item], key: str) -> Iterator[Item]:
        for item in items:
            yield item
            break
        raise self._failure(key)

    def _until_the_end[Item](self, items: Iterator[Item], moment: Moment | None, key: str) -> Iterator[Item]:
        yield from items
        self._finish(moment, key)

    def _failure(self, key: str) -> StoreError:
        operation = self.calls[self._fail_at - 1][0]
        return StoreError(f"store {self.url}: cannot {operation} {key}: call {self._fail_at} fails on purpose")

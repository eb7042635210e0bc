"""What the engine needs of a store: nine small operations on keys, and nothing of any vendor."""

from __future__ import annotations

import builtins
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol


@dataclass(frozen=True, slots=True)
class StoredObject:
    """Facts of one stored object: its key, size in bytes, and when the store says it was written (aware)."""

    key: str
    size_bytes: int
    modified_at: datetime


class Store(Protocol):
    """Objects by key. Writing is create-only and whole or not at all; nothing is ever overwritten."""

    @property
    def url(self) -> str:
        """Where the store is, without any secret: for messages and manifests."""
        ...

    def put(self, key: str, pieces: Iterable[bytes], *, size_hint_bytes: int | None = None) -> int:
        """Store the concatenation of ``pieces``; returns its size in bytes.

        If iterating raises, nothing appears under ``key`` and the exception passes through unchanged.
        Memory stays bounded whatever the size; ``size_hint_bytes`` (an upper estimate) lets multipart
        stores choose parts large enough. Durable when it returns. Raises ObjectExists where the key is
        taken, StoreError where the store fails.
        """
        ...

    def get(self, key: str) -> bytes:
        """The whole of a small object; raises ObjectMissing."""
        ...

    def stream(self, key: str) -> Iterator[bytes]:
        """The object's bytes in pieces of up to a few MiB; raises ObjectMissing before the first piece."""
        ...

    def read_range(self, key: str, offset: int, length: int) -> bytes:
        """``length`` bytes from ``offset``, fewer where the object ends before; raises ObjectMissing."""
        ...

    def head(self, key: str) -> StoredObject:
        """Facts of one object; raises ObjectMissing."""
        ...

    def list(self, prefix: str, *, after: str = "") -> Iterator[StoredObject]:
        """Every object whose key starts with ``prefix`` (which ends in ``/`` or is empty), in key order.

        With ``after``, a text such as a key, only those whose keys sort behind it: what lies before costs nothing.
        """
        ...

    def delete(self, key: str) -> None:
        """Remove an object; one that is gone already is no error."""
        ...

    # Below `list`: after it, the name would stand for the method in the annotations of this class.
    def folders(self, prefix: str) -> builtins.list[str]:
        """The names, sorted, that stand right below ``prefix`` before a slash, without what lies in those folders.

        A folder whose last object was just deleted may still be among them.
        """
        ...

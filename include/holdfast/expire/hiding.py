"""A store as it would be without some of its objects: what a dry run judges by."""

from __future__ import annotations

import builtins
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass

from holdfast.errors import ObjectMissing
from holdfast.storage.protocol import Store, StoredObject


@dataclass(frozen=True, slots=True)
class Without:
    """Reads ``store`` as if ``hidden`` keys were gone; it is never written to."""

    store: Store
    hidden: Collection[str]

    @property
    def url(self) -> str:
        """Where the store is."""
        return self.store.url

    def put(self, key: str, pieces: Iterable[bytes], *, size_hint_bytes: int | None = None) -> int:
        """Refused: this is only for looking."""
        raise NotImplementedError(key)

    def delete(self, key: str) -> None:
        """Refused as well."""
        raise NotImplementedError(key)

    def get(self, key: str) -> bytes:
        """As the store does."""
        return self.store.get(self._shown(key))

    def stream(self, key: str) -> Iterator[bytes]:
        """As the store does."""
        return self.store.stream(self._shown(key))

    def read_range(self, key: str, offset: int, length: int) -> bytes:
        """As the store does."""
        return self.store.read_range(self._shown(key), offset, length)

    def head(self, key: str) -> StoredObject:
        """As the store does."""
        return self.store.head(self._shown(key))

    def list(self, prefix: str, *, after: str = "") -> Iterator[StoredObject]:
        """As the store does, without the hidden ones."""
        return (stored for stored in self.store.list(prefix, after=after) if stored.key not in self.hidden)

    def folders(self, prefix: str) -> builtins.list[str]:
        """As the store does, without those of which all is hidden."""
        return [name for name in self.store.folders(prefix) if self._shows(f"{prefix}{name}/")]

    def _shows(self, folder: str) -> bool:
        is_touched = any(key.startswith(folder) for key in self.hidden)
        return not is_touched or next(self.list(folder), None) is not None

    def _shown(self, key: str) -> str:
        if key in self.hidden:
            raise ObjectMissing(f"{key}: not found in {self.store.url}")
        return key

"""Files with holes: their stored parts lie one after another, and this tells where each byte of them belongs."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence

from holdfast.errors import IntegrityError

Extents = Sequence[tuple[int, int]]
_ZEROS = bytes(1 << 20)


def demand_sound(size: int, extents: Extents) -> None:
    """Raise IntegrityError unless the parts stand in order, apart, within a file of ``size`` bytes."""
    end = 0
    for offset, length in extents:
        if offset < end or length < 0:
            raise IntegrityError("media listing: the parts of a sparse file overlap")
        end = offset + length
    if end > size:
        raise IntegrityError("media listing: the parts of a sparse file reach beyond its end")


class Placement:
    """Says of stored bytes, as they come, at which offset of the file they belong."""

    def __init__(self, extents: Extents) -> None:
        self._extents = iter(extents)
        self._offset, self._left = 0, 0

    def of(self, part: memoryview) -> Iterator[tuple[int, memoryview]]:
        """(offset in the file, bytes) of all of ``part``."""
        while part:
            while not self._left:
                self._offset, self._left = next(self._extents)
            taken = min(self._left, len(part))
            yield self._offset, part[:taken]
            self._offset, self._left = self._offset + taken, self._left - taken
            part = part[taken:]


class ContentHash:
    """The SHA-256 of a file's bytes, holes included, from its stored bytes alone."""

    def __init__(self, size: int, extents: Extents | None) -> None:
        self._hash = hashlib.sha256()
        self._size = size
        self._placement = None if extents is None else Placement(extents)
        self._at = 0

    def update(self, part: memoryview) -> None:
        """Take the next stored bytes."""
        if self._placement is None:
            self._hash.update(part)
            return
        for offset, run in self._placement.of(part):
            self._zeros(offset)
            self._hash.update(run)
            self._at += len(run)

    def hexdigest(self) -> str:
        """The hash, once all stored bytes were taken."""
        if self._placement is not None:
            self._zeros(self._size)
        return self._hash.hexdigest()

    def _zeros(self, upto: int) -> None:
        while self._at < upto:
            count = min(len(_ZEROS), upto - self._at)
            self._hash.update(_ZEROS[:count] if count < len(_ZEROS) else _ZEROS)
            self._at += count

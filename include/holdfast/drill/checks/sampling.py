"""Chooses the media files that are restored where not all are: the same ones for the same seed."""

from __future__ import annotations

import hashlib
import heapq

from holdfast.media.entries import Entry

_LARGEST = 3
_NEWEST = 3
# The files that the database refers to are those that people miss; of the others as many as are left, but some.
_OTHERS_SHARE = 10


class _Least:
    """The ``count`` entries of least rank among many."""

    def __init__(self, count: int) -> None:
        self._count = count
        self._heap: list[tuple[int, bytes]] = []

    def add(self, rank: int, path: bytes) -> None:
        """Take one more."""
        if len(self._heap) < self._count:
            heapq.heappush(self._heap, (-rank, path))
        elif self._heap and (-rank, path) > self._heap[0]:  # the path, too: the order of coming must not matter
            heapq.heapreplace(self._heap, (-rank, path))

    def paths(self) -> list[bytes]:
        """Those of least rank, in its order."""
        return [path for _, path in sorted(self._heap, key=lambda each: (-each[0], each[1]))]


class Sample:
    """At most ``size`` files: a few of the largest and newest, the rest by chance, those referred to before others."""

    def __init__(self, size: int, seed: str) -> None:
        self._size = size
        self._key = hashlib.sha256(seed.encode()).digest()[:16]
        few = max(0, min(_LARGEST, size // 10))
        self._largest, self._newest = _Least(few), _Least(min(_NEWEST, few))
        self._referenced, self._others = _Least(size), _Least(size)

    def add(self, entry: Entry, *, is_referenced: bool) -> None:
        """One file of the snapshot."""
        self._largest.add(-entry.size, entry.path)
        self._newest.add(-(entry.mtime_ns or 0), entry.path)
        (self._referenced if is_referenced else self._others).add(self._rank(entry.path), entry.path)

    def paths(self) -> list[bytes]:
        """The chosen ones, sorted."""
        chosen = dict.fromkeys([*self._largest.paths(), *self._newest.paths()])
        referenced, others = self._referenced.paths(), self._others.paths()
        set_aside = min(len(others), self._size // _OTHERS_SHARE)
        ordered = [*referenced[: max(0, self._size - len(chosen) - set_aside)], *others, *referenced]
        for path in ordered:
            if len(chosen) >= self._size:
                break
            chosen[path] = None
        return sorted(chosen)

    def _rank(self, path: bytes) -> int:
        return int.from_bytes(hashlib.blake2b(path, digest_size=8, key=self._key).digest())

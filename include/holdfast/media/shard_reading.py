"""Reads what is wanted of one shard: streamed whole, or, where little of it is wanted, by ranges."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from holdfast.crypto import age
from holdfast.crypto.payload import CHUNK_BYTES
from holdfast.crypto.salvage import Salvage
from holdfast.errors import DecryptError
from holdfast.storage.pieces import ended_on_failure
from holdfast.storage.protocol import Store

# Apart by less than this, two files are read at one go: a request costs about as long as these bytes take.
_GAP_BYTES = 512 * 1024
_RANGE_COST_BYTES = 1 << 20
_MOST_OF_SHARD = 0.5


@dataclass(slots=True)
class ShardReader:
    """One stored shard of ``size_bytes`` as the manifest has it.

    ``fault``, after its pieces have ended: what is wrong with it, None where all that was read is sound.
    """

    store: Store
    key: str
    size_bytes: int
    identities: Sequence[age.Identity]
    fault: str | None = None
    lost: list[tuple[int, int]] = field(default_factory=list)

    def stream(self) -> Iterator[tuple[int, memoryview]]:
        """(offset, bytes) of the whole tar, what is not sound left out.

        Raises ObjectMissing, and DecryptError where its header cannot be read.
        """
        stored = self.store.stream(self.key)
        with ended_on_failure(stored):
            salvage = Salvage(stored, self.identities, self.size_bytes)
            yield from salvage.pieces()
            self.fault, self.lost = salvage.fault, salvage.lost

    def ranges(self, wanted: Sequence[tuple[int, int]]) -> Iterator[tuple[int, memoryview]]:
        """(offset, bytes) of the ``wanted`` ranges (offset, length), of other bytes as few as possible.

        Where a range turns out to be damaged, all is streamed again from the start of that range.
        """
        try:
            reader = age.RangeReader(self._read, self.size_bytes, self.identities)
        except DecryptError:
            yield from self.stream()
            return
        for offset, length in wanted:
            at = offset
            try:
                for piece in reader.pieces(offset, length):
                    yield at, memoryview(piece)
                    at += len(piece)
            except DecryptError:
                yield from self._rest(at)
                return

    def _rest(self, start: int) -> Iterator[tuple[int, memoryview]]:
        for offset, piece in self.stream():
            end = offset + len(piece)
            if end > start:
                skipped = max(0, start - offset)
                yield offset + skipped, piece[skipped:]

    def _read(self, offset: int, length: int) -> bytes:
        return self.store.read_range(self.key, offset, length)


def ranges_worth(spans: Iterable[tuple[int, int]], size_bytes: int) -> list[tuple[int, int]] | None:
    """The few ranges that hold all ``spans`` (offset, length; in order), or None where streaming all is cheaper."""
    found: list[tuple[int, int]] = []
    cost = _RANGE_COST_BYTES
    limit = size_bytes * _MOST_OF_SHARD
    for offset, length in spans:
        if found and offset - sum(found[-1]) < _GAP_BYTES:
            start = found[-1][0]
            cost += max(0, offset + length - sum(found[-1]))
            found[-1] = (start, max(sum(found[-1]), offset + length) - start)
        else:
            found.append((offset, length))
            cost += length + _RANGE_COST_BYTES + CHUNK_BYTES
        if cost > limit:
            return None
    return found

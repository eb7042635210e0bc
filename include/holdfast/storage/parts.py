"""How a large object is cut for a multipart upload."""

from __future__ import annotations

from dataclasses import dataclass

_MIB = 1 << 20
SMALLEST_PART_BYTES = 8 * _MIB
_MOST_PARTS = 10_000  # S3 and Google Cloud Storage; Azure allows more
_UNHINTED_BYTES = 150_000 * _MIB
_MEMORY_BYTES = 80 * _MIB
_MOST_AT_ONCE = 6


@dataclass(frozen=True, slots=True)
class PartPlan:
    """The size of each part, and how many of them are in memory on their way at once."""

    part_bytes: int
    at_once: int


def plan_parts(size_hint_bytes: int | None) -> PartPlan:
    """Parts large enough that ``size_hint_bytes`` (an upper estimate) needs fewer than 10,000 of them.

    Without a hint an object may grow to about 146 GiB, beyond which its upload fails. Parts on their way
    stay within 80 MiB together up to a hint of 740 GiB; from there on one part is as large as it must be.
    """
    expected = _UNHINTED_BYTES if size_hint_bytes is None else size_hint_bytes
    needed = -(-expected // (_MOST_PARTS - 500))  # some to spare, for an estimate that was a little low
    part_bytes = max(SMALLEST_PART_BYTES, -(-needed // _MIB) * _MIB)
    return PartPlan(part_bytes, min(_MOST_AT_ONCE, max(1, _MEMORY_BYTES // part_bytes)))

"""What checks have found damaged and nothing has shown to be sound since."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime

from holdfast.media.records import MediaCheck


@dataclass(frozen=True, slots=True)
class Damage:
    """Damaged contents by shard; None among the hashes stands for the whole shard."""

    shards: dict[str, frozenset[str | None]] = field(default_factory=dict)

    def __bool__(self) -> bool:
        return bool(self.shards)

    def covers(self, shard: str, sha256: str) -> bool:
        """Whether that content, in that shard, is damaged."""
        found = self.shards.get(shard)
        return found is not None and (sha256 in found or None in found)


def damaged_contents(checks: Iterable[MediaCheck]) -> Damage:
    """The damage that stands after ``checks``, oldest first: of each shard, what the last look at it has found."""
    standing: dict[str, frozenset[str | None]] = {}
    for check in checks:
        found: dict[str, set[str | None]] = {}
        for content in check.damaged:
            found.setdefault(content.shard, set()).add(content.sha256)
        for look in check.shards:
            standing.pop(look.id, None)
        standing.update({shard: frozenset(hashes) for shard, hashes in found.items()})
    return Damage(standing)


def last_looks(checks: Iterable[MediaCheck]) -> dict[str, datetime]:
    """When each shard was last read by a check."""
    found: dict[str, datetime] = {}
    for check in checks:
        for look in check.shards:
            found[look.id] = max(check.finished_at, found.get(look.id, check.finished_at))
    return found

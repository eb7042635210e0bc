"""What expire did with media: snapshots, shards, what dead syncs left, and old records of checks."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from itertools import chain

from holdfast.retention import Decision


@dataclass(frozen=True, slots=True)
class MediaDeletion:
    """One thing that was (or in a dry run would be) deleted; a thing is several objects that belong together."""

    id: str
    reason: str
    bytes: int


@dataclass(frozen=True, slots=True)
class MediaReport:
    """``kept``: the snapshots that stay. ``shards_left``: why shards that were due had to wait. ``locked``: how many
    things other than snapshots would go if the store did not lock them.
    """

    kept: tuple[Decision, ...] = ()
    snapshots: tuple[MediaDeletion, ...] = ()
    shards: tuple[MediaDeletion, ...] = ()
    remnants: tuple[MediaDeletion, ...] = ()
    checks: tuple[MediaDeletion, ...] = ()
    shards_left: str | None = None
    locked: int = 0

    def deletions(self) -> Iterator[tuple[str, MediaDeletion]]:
        """Everything deleted, each with the word for what it is."""
        yield from (("media snapshot", deletion) for deletion in self.snapshots)
        yield from (("shard", deletion) for deletion in self.shards)
        yield from (("remnant of media sync", deletion) for deletion in self.remnants)
        yield from (("media check record", deletion) for deletion in self.checks)

    @property
    def summary(self) -> str:
        """The deletions as the end of a sentence; empty where there were none."""
        parts = (("media snapshot", self.snapshots), ("shard", self.shards), ("media remnant", self.remnants))
        return "".join(
            f", {len(deletions)} {name}{'s' if len(deletions) > 1 else ''}" for name, deletions in parts if deletions
        )

    @property
    def freed_bytes(self) -> int:
        """Stored bytes of everything deleted."""
        return sum(deletion.bytes for deletion in chain(self.snapshots, self.shards, self.remnants, self.checks))

    def as_json(self) -> dict[str, object]:
        """The report as an object of plain values."""
        return {
            "kept": len(self.kept),
            "snapshots_kept": [{"id": str(decision.id), "reason": decision.reason} for decision in self.kept],
            "snapshots_deleted": [asdict(deletion) for deletion in self.snapshots],
            "shards_deleted": [asdict(deletion) for deletion in self.shards],
            "remnants_deleted": [asdict(deletion) for deletion in self.remnants],
            "checks_deleted": [asdict(deletion) for deletion in self.checks],
            "shards_left": self.shards_left,
            "locked": self.locked,
            "bytes_freed": self.freed_bytes,
        }

    def figures(self) -> dict[str, object]:
        """The report in a few numbers, however many shards went."""
        return {name: len(value) if isinstance(value, list) else value for name, value in self.as_json().items()}

"""What expire lets go, and its report of one kind of things."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import ClassVar

from holdfast.retention import Decision


@dataclass(frozen=True, slots=True)
class Deletion:
    """A restore point, export, base backup or evidence, or the remnant of one, that goes (in a dry run: would go)."""

    id: str
    reason: str
    bytes: int
    is_remnant: bool


@dataclass(frozen=True, slots=True)
class DeletionReport:
    """What expire did with things of one kind; ``kept`` carries the reason for every one that stays."""

    kind: ClassVar[str]
    kept: tuple[Decision, ...] = ()
    deleted: tuple[Deletion, ...] = ()

    @property
    def freed_bytes(self) -> int:
        """Stored bytes of everything deleted."""
        return sum(deletion.bytes for deletion in self.deleted)

    @property
    def summary(self) -> str:
        """What goes behind the other figures of the run; empty where there are no such things."""
        return f"; {self.kind}: {len(self.deleted)} go, {len(self.kept)} kept" if self.kept or self.deleted else ""

    def as_json(self) -> dict[str, object]:
        """The report as an object of plain values."""
        return {
            "kept": [{"id": str(decision.id), "reason": decision.reason} for decision in self.kept],
            "deleted": [asdict(deletion) for deletion in self.deleted],
            "bytes_freed": self.freed_bytes,
        }

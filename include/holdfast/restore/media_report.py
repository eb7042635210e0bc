"""What a restore of media reports."""

from __future__ import annotations

from dataclasses import dataclass

from holdfast.media.entries import shown

CANNOT_WRITE = "it cannot be written: "
"""How the reason begins where the target, not the store, is to blame."""


@dataclass(frozen=True, slots=True)
class MediaFault:
    """One path that was not restored, and why."""

    path: bytes
    reason: str

    @property
    def is_of_target(self) -> bool:
        """Whether the folder that it was to be restored into is to blame, and nothing that is stored."""
        return self.reason.startswith(CANNOT_WRITE)

    def as_json(self) -> dict[str, str]:
        """The fault as an object of plain values."""
        return {"path": shown(self.path), "reason": self.reason}


@dataclass(frozen=True, slots=True)
class MediaRestoreReport:
    """What was restored where. ``skipped``: files that stood there already, the same to the byte.

    ``faults`` names what could not be restored, the first ten thousand of ``fault_count``; all else was, and each
    file's SHA-256 was checked.
    """

    snapshot: str
    target: str
    files: int
    skipped: int
    directories: int
    links: int
    hard_links: int
    bytes: int
    read_bytes: int
    fault_count: int
    faults: tuple[MediaFault, ...]
    notes: tuple[str, ...]
    seconds: float

    @property
    def ok(self) -> bool:
        """Whether everything that was asked for is there."""
        return not self.fault_count

    def as_json(self) -> dict[str, object]:
        """The report as an object of plain values."""
        return {
            "snapshot": self.snapshot,
            "target": self.target,
            "ok": self.ok,
            "files": self.files,
            "skipped": self.skipped,
            "directories": self.directories,
            "links": self.links,
            "hard_links": self.hard_links,
            "bytes": self.bytes,
            "read_bytes": self.read_bytes,
            "fault_count": self.fault_count,
            "faults": [fault.as_json() for fault in self.faults],
            "notes": list(self.notes),
            "seconds": round(self.seconds, 3),
        }

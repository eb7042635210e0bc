"""What a check of stored media reports."""

from __future__ import annotations

from dataclasses import dataclass

from holdfast.media.entries import shown


@dataclass(frozen=True, slots=True)
class DamagedFile:
    """One path whose bytes are damaged or gone, the shard that they lay in, and the snapshots that are hit."""

    path: bytes
    shard: str
    snapshots: tuple[str, ...]
    reason: str

    def as_json(self) -> dict[str, object]:
        """The file as an object of plain values."""
        return {
            "path": shown(self.path),
            "shard": self.shard,
            "snapshots": list(self.snapshots),
            "reason": self.reason,
        }


@dataclass(frozen=True, slots=True)
class MediaCheckReport:
    """What was read and what was found.

    ``damaged``: at most ten thousand of ``damaged_files``. ``faults``: what concerns no single file: snapshots whose
    manifest or listing cannot be trusted, shards that no identity at hand opens. ``decrypted`` is False without an
    identity: hashes of the stored bytes were compared then. ``record``: the id of the stored result, if one was stored.
    """

    shards: int
    shards_checked: int
    files_checked: int
    bytes: int
    damaged_files: int
    damaged: tuple[DamagedFile, ...]
    damaged_shards: tuple[str, ...]
    faults: tuple[str, ...]
    decrypted: bool
    record: str | None
    notes: tuple[str, ...]
    seconds: float

    @property
    def ok(self) -> bool:
        """Whether all that was read is as it was stored."""
        return not (self.damaged_files or self.damaged_shards or self.faults)

    def facts(self) -> dict[str, object]:
        """The figures alone."""
        return {
            "ok": self.ok,
            "shards": self.shards,
            "shards_checked": self.shards_checked,
            "files_checked": self.files_checked,
            "bytes": self.bytes,
            "damaged_files": self.damaged_files,
            "damaged_shards": len(self.damaged_shards),
            "decrypted": self.decrypted,
            "record": self.record,
            "seconds": round(self.seconds, 3),
        }

    def as_json(self) -> dict[str, object]:
        """The report as an object of plain values."""
        return {
            **self.facts(),
            "damaged": [file.as_json() for file in self.damaged],
            "damaged_shards": list(self.damaged_shards),
            "faults": list(self.faults),
            "notes": list(self.notes),
        }

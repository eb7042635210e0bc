"""The small facts of a base backup: fit for XCom, logs and the terminal."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Literal

from holdfast.manifest.base_backup import BaseBackupManifest


@dataclass(frozen=True, slots=True)
class BaseBackupFacts:
    """A committed base backup: stored ``bytes``, ``data_bytes`` of files in it, and the WAL that makes it whole."""

    base_backup: str
    kind: Literal["full", "incremental"]
    parent: str | None
    bytes: int
    data_bytes: int
    start_lsn: str
    stop_lsn: str
    timeline: int
    seconds: float

    @classmethod
    def of_manifest(cls, manifest: BaseBackupManifest, seconds: float) -> BaseBackupFacts:
        """The facts as its manifest has them."""
        return cls(
            manifest.id,
            manifest.kind,
            manifest.parent,
            manifest.stored_bytes,
            manifest.data_bytes,
            manifest.start_lsn,
            manifest.stop_lsn,
            manifest.timeline,
            seconds,
        )

    def as_json(self) -> dict[str, str | int | float | None]:
        """The facts as a flat object."""
        return {**asdict(self), "seconds": round(self.seconds, 3)}

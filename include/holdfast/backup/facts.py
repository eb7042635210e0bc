"""The small facts that a step reports: fit for XCom, logs and the terminal."""

from __future__ import annotations

from dataclasses import asdict, dataclass

from holdfast.manifest.model import Manifest


@dataclass(frozen=True, slots=True)
class StepFacts:
    """What a step did: stored bytes, tables and exact rows of the restore point so far, and its seconds."""

    restore_point: str
    bytes: int
    tables: int
    rows: int
    seconds: float

    @classmethod
    def of_manifest(cls, manifest: Manifest, seconds: float) -> StepFacts:
        """The facts of a committed restore point."""
        source = manifest.database.source
        return cls(manifest.id, manifest.stored_bytes, len(source.tables), source.rows, seconds)

    def as_json(self) -> dict[str, str | int | float]:
        """The facts as a flat object."""
        return {**asdict(self), "seconds": round(self.seconds, 3)}

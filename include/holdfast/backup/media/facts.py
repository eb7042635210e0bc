"""The small facts of a media snapshot: fit for XCom, logs and the terminal."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace

from holdfast.manifest.model import MediaReferences
from holdfast.media.records import SnapshotManifest


@dataclass(frozen=True, slots=True)
class SyncFacts:
    """What a sync did.

    ``bytes`` of all files; ``read_files``: those that were new or had changed; ``new_files``: those whose content was
    not in the store yet; ``stored_bytes`` of the shards that it added. ``notes`` are for a person to read.
    ``missing_references``: paths that the database names and the snapshot lacks, and ``unreferenced_files`` the other
    way round; None where they were not compared.
    """

    snapshot: str
    files: int
    bytes: int
    read_files: int
    new_files: int
    stored_bytes: int
    vanished: int
    unstable: int
    special: int
    seconds: float
    notes: tuple[str, ...] = ()
    missing_references: int | None = None
    unreferenced_files: int | None = None

    def compared(self, references: MediaReferences | None) -> SyncFacts:
        """The facts with what the comparison with the database has shown."""
        if references is None:
            return self
        return replace(self, missing_references=references.missing, unreferenced_files=references.unreferenced)

    @classmethod
    def of_manifest(cls, manifest: SnapshotManifest, seconds: float, notes: tuple[str, ...] = ()) -> SyncFacts:
        """The facts of a committed snapshot."""
        return cls(
            manifest.id,
            manifest.files,
            manifest.bytes,
            manifest.read_files,
            manifest.new_files,
            manifest.stored_bytes,
            manifest.vanished,
            manifest.unstable,
            manifest.special,
            seconds,
            notes,
        )

    def as_json(self) -> dict[str, str | int | float | list[str]]:
        """The facts as a flat object."""
        fields = {**asdict(self), "seconds": round(self.seconds, 3), "notes": list(self.notes)}
        return {name: value for name, value in fields.items() if value is not None}

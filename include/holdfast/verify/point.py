"""Verifies a committed restore point, from its signature to the last byte of its artifacts."""

from __future__ import annotations

import time
from dataclasses import asdict, dataclass

from holdfast.environment import Environment
from holdfast.errors import IntegrityError, SignatureError
from holdfast.progress import Progress, Silent
from holdfast.values.ids import RestorePointId
from holdfast.verify.paired_media import paired_media_faults
from holdfast.verify.reading import read_back

_SILENT = Silent()
SHARDS_UNREAD = "the shards of its media were not read: `holdfast media check` does"


@dataclass(frozen=True, slots=True)
class VerifyReport:
    """Whether a restore point is intact, and every fault that was found; ``notes`` say what was not looked at."""

    id: str
    ok: bool
    faults: tuple[str, ...]
    bytes: int
    decrypted: bool
    listed_tables: int | None
    seconds: float
    notes: tuple[str, ...] = ()

    def as_json(self) -> dict[str, object]:
        """The report as an object of plain values."""
        return {
            **asdict(self),
            "faults": list(self.faults),
            "notes": list(self.notes),
            "seconds": round(self.seconds, 3),
        }


def verify(environment: Environment, id: RestorePointId, *, progress: Progress = _SILENT) -> VerifyReport:
    """Check signature and place of the manifest, every artifact, and that the paired media snapshot is there.

    Raises ObjectMissing where the restore point does not exist. A manifest that cannot be trusted, and
    all damage to artifacts, is reported.
    """
    started = time.monotonic()
    try:
        manifest = environment.catalog.manifest(id, environment.verifier())
    except (SignatureError, IntegrityError) as error:
        # What the manifest says of the artifacts cannot be believed either.
        return VerifyReport(str(id), False, (error.message,), 0, False, None, time.monotonic() - started)
    found = read_back(environment, id, manifest.artifacts, manifest.database, progress)
    media = paired_media_faults(environment, manifest.media) if manifest.media else []
    faults = (*found.faults, *media)
    return VerifyReport(
        id=manifest.id,
        ok=not faults,
        faults=faults,
        bytes=found.bytes,
        decrypted=found.is_decrypted,
        listed_tables=found.listed_tables,
        seconds=time.monotonic() - started,
        notes=(SHARDS_UNREAD,) if manifest.media else (),
    )

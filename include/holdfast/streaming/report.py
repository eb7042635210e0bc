"""What one run of the streamer tells."""

from __future__ import annotations

from dataclasses import asdict, dataclass


@dataclass(frozen=True, slots=True)
class StreamReport:
    """``stored_lsn``: up to there, on ``timeline``, every byte of WAL is in the store; None where none is known to be.

    ``segments`` and ``partials`` were stored by this run, ``wal_bytes`` being of whole segments. ``retained_bytes``:
    what the source holds back for the slot, None where it could not be asked. ``gap``: WAL that is lost to the store.
    """

    system_identifier: str
    timeline: int
    segments: int
    partials: int
    wal_bytes: int
    stored_bytes: int
    stored_lsn: str | None
    seconds: float
    retained_bytes: int | None
    gap: str | None
    notes: tuple[str, ...] = ()

    def as_json(self) -> dict[str, str | int | float | bool | list[str] | None]:
        """Small facts, as the CLI prints and operators return them."""
        return asdict(self) | {"notes": list(self.notes), "seconds": round(self.seconds, 3)}

"""What came of a recovery: the exact point that was reached, and what it took."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class Recovered:
    """A recovery that reached its target.

    ``reached_time`` is the time of the last commit that was replayed (the source's clock), None where none was.
    ``timeline`` is the one that the cluster is on now. ``wal_bytes`` were handed to the server, which waited
    ``waited_seconds`` of ``replay_seconds`` for them. ``marker``: number and time of the last marker found in it.
    """

    reached_time: datetime | None
    reached_lsn: str
    timeline: int
    base_backup: str
    seconds: float
    base_seconds: float
    replay_seconds: float
    wal_bytes: int
    waited_seconds: float
    marker: tuple[int, str] | None = None
    notes: tuple[str, ...] = ()

    def as_json(self) -> dict[str, object]:
        """Small facts for people and programs."""
        return {
            "reached_time": None if self.reached_time is None else self.reached_time.isoformat(),
            "reached_lsn": self.reached_lsn,
            "timeline": self.timeline,
            "base_backup": self.base_backup,
            "seconds": round(self.seconds, 3),
            "base_seconds": round(self.base_seconds, 3),
            "replay_seconds": round(self.replay_seconds, 3),
            "wal_bytes": self.wal_bytes,
            "waited_seconds": round(self.waited_seconds, 3),
            "marker": None if self.marker is None else {"number": self.marker[0], "at": self.marker[1]},
            "notes": list(self.notes),
        }

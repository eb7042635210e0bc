"""What a check of stored WAL and base backups reports."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class WalFault:
    """One thing that is wrong; ``key`` names the object that is damaged or missing, None where it is no single one."""

    key: str | None
    reason: str

    def __str__(self) -> str:
        return self.reason if self.key is None else f"{self.key}: {self.reason}"

    def as_json(self) -> dict[str, object]:
        """The fault as an object of plain values."""
        return {"object": self.key, "reason": self.reason}


@dataclass(frozen=True, slots=True)
class WalCheckReport:
    """What was read and what was found.

    ``pieces`` are those that base backups need, ``read`` of them this time; the others were found whole before and have
    not been written since. ``is_decrypted`` is False without an identity: only that they exist was looked at then.
    ``records``: the ids of the stored results, one for each cluster.
    """

    pieces: int
    read: int
    base_backups: int
    base_backups_read: int
    bytes: int
    faults: tuple[WalFault, ...]
    is_decrypted: bool
    records: tuple[str, ...]
    notes: tuple[str, ...]
    seconds: float

    @property
    def ok(self) -> bool:
        """Whether everything that a recovery needs is there, and all that was read is as it was stored."""
        return not self.faults

    def as_json(self) -> dict[str, object]:
        """The report as an object of plain values."""
        return {
            "ok": self.ok,
            "pieces": self.pieces,
            "read": self.read,
            "base_backups": self.base_backups,
            "base_backups_read": self.base_backups_read,
            "bytes": self.bytes,
            "decrypted": self.is_decrypted,
            "faults": [fault.as_json() for fault in self.faults],
            "records": list(self.records),
            "notes": list(self.notes),
            "seconds": round(self.seconds, 3),
        }

"""What a restore reports once its counts were found equal."""

from __future__ import annotations

from dataclasses import asdict, dataclass


@dataclass(frozen=True, slots=True)
class RestoreReport:
    """What was restored where; seconds apart for fetching, restoring and counting. It exists only for a success."""

    id: str
    target: str
    tables: int
    rows: int
    jobs: int
    is_new_database: bool
    notes: tuple[str, ...]
    fetch_seconds: float
    restore_seconds: float
    count_seconds: float

    def as_json(self) -> dict[str, object]:
        """The report as an object of plain values."""
        rounded = {
            name: round(getattr(self, name), 3) for name in ("fetch_seconds", "restore_seconds", "count_seconds")
        }
        return {**asdict(self), "notes": list(self.notes), **rounded, "counts": "equal"}

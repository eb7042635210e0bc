"""What can be recovered from when to when, as values: windows of time, gaps, the base backups that they rest on."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime

from holdfast.manifest.base_backup import BaseBackupManifest
from holdfast.values.lsn import Lsn


@dataclass(frozen=True, slots=True)
class Window:
    """What base backup ``base_backup`` and the WAL behind it allow on the way to ``timeline``.

    From ``begins_at`` at ``start_lsn``, where the backup had ended, up to ``end_lsn``. ``ends_at`` is an instant whose
    every commit lies before ``end_lsn``; None where no mark tells one.
    """

    timeline: int
    begins_at: datetime
    ends_at: datetime | None
    start_lsn: Lsn
    end_lsn: Lsn
    base_backup: str
    system_identifier: str


@dataclass(frozen=True, slots=True)
class Gap:
    """Missing WAL, segments ``first`` to ``last`` by name, from ``start_lsn`` up to ``end_lsn``.

    ``begins_at``: the newest instant known before it, ``ends_at``: the oldest behind; None where no mark tells.
    """

    system_identifier: str
    timeline: int
    first: str
    last: str
    start_lsn: Lsn
    end_lsn: Lsn
    begins_at: datetime | None
    ends_at: datetime | None

    def as_json(self) -> dict[str, object]:
        """The gap as an object of plain values."""
        return {
            "first": self.first,
            "last": self.last,
            "timeline": self.timeline,
            "from": _iso(self.begins_at),
            "to": _iso(self.ends_at),
            "from_lsn": str(self.start_lsn),
            "to_lsn": str(self.end_lsn),
            "system_identifier": self.system_identifier,
        }


@dataclass(frozen=True, slots=True)
class Stretch:
    """Windows of one timeline that overlap, as one: from the oldest base backup's end to the newest instant."""

    timeline: int
    begins_at: datetime
    ends_at: datetime | None
    start_lsn: Lsn
    end_lsn: Lsn
    base_backups: tuple[str, ...]
    system_identifier: str

    def as_json(self) -> dict[str, object]:
        """The stretch as an object of plain values."""
        return {
            "from": _iso(self.begins_at),
            "to": _iso(self.ends_at),
            "timeline": self.timeline,
            "from_lsn": str(self.start_lsn),
            "to_lsn": str(self.end_lsn),
            "base_backups": list(self.base_backups),
            "system_identifier": self.system_identifier,
        }


@dataclass(frozen=True, slots=True)
class Coverage:
    """Everything that can be recovered, oldest first.

    ``windows`` has one for each base backup and timeline. ``faults``: what is damaged or cannot be trusted and was
    left out; ``notes``: what is stored without serving any recovery.
    """

    windows: tuple[Window, ...]
    gaps: tuple[Gap, ...]
    base_backups: tuple[BaseBackupManifest, ...]
    faults: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def stretches(self) -> tuple[Stretch, ...]:
        """The windows with those that overlap taken together."""
        return tuple(sorted(_stretches(self.windows), key=lambda one: (one.begins_at, one.timeline)))

    def as_json(self) -> dict[str, object]:
        """All of it as an object of plain values."""
        return {
            "windows": [stretch.as_json() for stretch in self.stretches],
            "gaps": [gap.as_json() for gap in self.gaps],
            "base_backups": [_summary(base) for base in self.base_backups],
            "faults": list(self.faults),
            "notes": list(self.notes),
        }


def _stretches(windows: Iterable[Window]) -> Iterator[Stretch]:
    """Windows of one timeline that share any WAL end at the same position."""
    found: dict[tuple[str, int, Lsn], list[Window]] = {}
    for window in windows:
        found.setdefault((window.system_identifier, window.timeline, window.end_lsn), []).append(window)
    for (system, timeline, end), joined in found.items():
        joined.sort(key=lambda window: (window.begins_at, window.start_lsn))
        ends = [window.ends_at for window in joined if window.ends_at is not None]
        bases = tuple(window.base_backup for window in joined)
        first = joined[0]
        yield Stretch(timeline, first.begins_at, max(ends, default=None), first.start_lsn, end, bases, system)


def _summary(base: BaseBackupManifest) -> dict[str, object]:
    return {
        "id": base.id,
        "kind": base.kind,
        "parent": base.parent,
        "timeline": base.timeline,
        "system_identifier": base.system_identifier,
        "finished_at": _iso(base.finished_at),
        "start_lsn": base.start_lsn,
        "stop_lsn": base.stop_lsn,
        "bytes": base.stored_bytes,
        "data_bytes": base.data_bytes,
    }


def _iso(moment: datetime | None) -> str | None:
    return None if moment is None else moment.isoformat()

"""What expire did with WAL, and what could be recovered before and after."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

type Stretches = tuple[Mapping[str, object], ...] | None
"""What can be recovered from when to when, as ``pitr window --json`` tells; None where that could not be read."""


@dataclass(frozen=True, slots=True)
class WalRun:
    """Pieces of one timeline that go together, ``first`` to ``last`` by name; ``bytes`` are stored ones."""

    system_identifier: str
    timeline: int
    first: str
    last: str
    segments: int
    bytes: int
    reason: str

    def __str__(self) -> str:
        """For people."""
        names = self.first if self.first == self.last else f"{self.first} to {self.last}"
        return f"WAL {self.system_identifier}/{names}"

    def as_json(self) -> dict[str, object]:
        """The run as an object of plain values."""
        return {
            "system_identifier": self.system_identifier,
            "timeline": self.timeline,
            "first": self.first,
            "last": self.last,
            "segments": self.segments,
            "bytes": self.bytes,
            "reason": self.reason,
        }


@dataclass(frozen=True, slots=True)
class WalReport:
    """``deleted``: by timelines. ``kept_segments``: whole ones that stay. ``left``: what was due or wrong, and why it
    stays all the same. ``before`` and ``after``: what can be recovered.
    """

    deleted: tuple[WalRun, ...] = ()
    kept_segments: int = 0
    left: tuple[str, ...] = ()
    before: Stretches = ()
    after: Stretches = ()

    @property
    def freed_bytes(self) -> int:
        """Stored bytes of everything deleted."""
        return sum(run.bytes for run in self.deleted)

    @property
    def deleted_segments(self) -> int:
        """Whole segments that were deleted."""
        return sum(run.segments for run in self.deleted)

    @property
    def is_empty(self) -> bool:
        """Is there nothing to tell?"""
        return not (self.deleted or self.kept_segments or self.left or self.before or self.after)

    @property
    def summary(self) -> str:
        """What goes behind the other figures of the run; empty where there is no WAL."""
        return f"; WAL: {self.deleted_segments} segments go, {self.kept_segments} kept" if not self.is_empty else ""

    def window_lines(self) -> Iterator[str]:
        """What can be recovered before and after, for people; nothing where there is no WAL."""
        if not self.is_empty:
            yield f"can be recovered before: {_told(self.before)}"
            yield f"can be recovered after: {_told(self.after)}"

    def as_json(self) -> dict[str, object]:
        """The report as an object of plain values."""
        return {
            "window_before": _listed(self.before),
            "window_after": _listed(self.after),
            "deleted_segments": self.deleted_segments,
            "kept_segments": self.kept_segments,
            "bytes": self.freed_bytes,
            "deleted": [run.as_json() for run in self.deleted],
            "left": list(self.left),
        }


def _told(stretches: Stretches) -> str:
    if stretches is None:
        return "not known"
    spans = (f"{one['from']} to {one['to'] or one['to_lsn']} (timeline {one['timeline']})" for one in stretches)
    return "; ".join(spans) or "nothing"


def _listed(stretches: Stretches) -> list[Mapping[str, object]] | None:
    return None if stretches is None else list(stretches)

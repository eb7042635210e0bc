"""What evidence says of a recovery to an instant: where it was to lead, what must be found there, how it went."""

from __future__ import annotations

from datetime import datetime

from holdfast.manifest.model import Record


class PitrWindow(Record):
    """A time within which every instant can be recovered; ``ends_at`` is None where no later instant is known."""

    timeline: int
    begins_at: datetime
    ends_at: datetime | None


class PitrMark(Record):
    """A marker in the WAL: its number, and the server's clock before and after its commit."""

    number: int
    at: datetime
    seen_at: datetime


class PitrTried(Record):
    """The instant that a drill recovers to, drawn or given when it was opened, and what must be found there.

    ``window`` is the one that holds it, ``windows`` all that there were. ``marker`` had surely committed by then, so
    that it or a later one must be found; ``next_marker`` surely not. Each is None where the WAL holds none such.
    ``database`` is the application's, None where this host does not know it.
    """

    instant: datetime
    is_drawn: bool
    database: str | None
    system_identifier: str
    timeline: int
    base_backup: str
    base_finished_at: datetime
    window: PitrWindow
    windows: tuple[PitrWindow, ...]
    marker: PitrMark | None
    next_marker: PitrMark | None

    def accepts(self, number: int | None) -> bool:
        """May the recovered cluster hold this marker?"""
        if number is None:
            return self.marker is None
        is_early = self.marker is not None and number < self.marker.number
        return not is_early and (self.next_marker is None or number < self.next_marker.number)


class Replayed(Record):
    """How a recovery to an instant went. ``waited_seconds``: how long the server stood still for want of WAL.

    ``reached_time`` is that of the last transaction replayed, None where none was. ``seconds`` is all of it: base
    backup fetched and verified, WAL replayed, server promoted and shut down.
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
    marker: int | None
    marker_at: datetime | None

    @property
    def bytes_per_second(self) -> float | None:
        """WAL replayed in a second; None where it took no time to speak of."""
        return self.wal_bytes / self.replay_seconds if self.replay_seconds > 0 else None

    @property
    def waited_share(self) -> float:
        """The share of the replay in which the server stood still for want of WAL."""
        return min(1.0, self.waited_seconds / self.replay_seconds) if self.replay_seconds > 0 else 0.0

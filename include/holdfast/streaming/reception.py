"""Reception: what receivers leave in the spool becomes cargo, each piece once."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from holdfast.catalog import WalPiece
from holdfast.streaming.line import ShippingLine
from holdfast.streaming.shipping import Cargo
from holdfast.values.lsn import Lsn
from holdfast.values.wal_names import WalSegment, history_name
from holdfast.wal.extent import beginning, written_bytes
from holdfast.wal.spool import Intake
from holdfast.wal.timelines import TimelineHistory

_MANY = 500

Written = Callable[[], Lsn | None]
"""Up to where the receiver has told to have written; None where that is not known."""


def history_cargo(content: bytes, timeline: int, intake: Intake) -> Cargo:
    """A timeline's history file, which is small."""
    told = TimelineHistory.parse(timeline, content.decode("utf-8", "replace"))
    return Cargo(
        WalPiece.history(intake.system_identifier, timeline),
        len(content),
        intake.segment_bytes,
        intake.server_version_num,
        lambda: [content],
        switches=told.recorded(),
    )


@dataclass
class Reception:
    """One receiver's folder, and what of it has been handed to the shipping line."""

    intake: Intake
    line: ShippingLine
    _cargo: list[Cargo] = field(default_factory=list)
    _taken: set[str] = field(default_factory=set)
    _extents: dict[str, int] = field(default_factory=dict)
    _left_at: dict[int, Lsn] = field(default_factory=dict)

    def take_whole(self) -> list[WalSegment]:
        """Hand over history files and whole segments that are new; returns the segments. Raises OSError."""
        for timeline in self.intake.histories():
            name = history_name(timeline)
            if name not in self._taken:
                self._taken.add(name)
                cargo = history_cargo(self.intake.path(name).read_bytes(), timeline, self.intake)
                self._left_at |= dict(TimelineHistory.recalled(timeline, cargo.switches).switches)
                self.line.submit(cargo)
        found = [segment for segment in self.intake.segments() if segment.name not in self._taken]
        for segment in found:
            self._taken.add(segment.name)
            self._submit(segment, self.intake.path(segment.name))
        return found

    def take_open(self, written: Written) -> int:
        """Hand over the beginning of the open segment if it has grown; and of those that ended with their timeline.

        Returns the bytes handed over. Raises OSError, and what ``written`` raises.
        """
        found = self.intake.open_segments()
        return sum(self._take_beginning(segment, written if segment is found[-1] else None) for segment in found)

    def newest_timeline(self) -> int:
        """The newest timeline that is in the folder; 0 where nothing is."""
        found = [*self.intake.segments(), *self.intake.open_segments()]
        return max((segment.timeline for segment in found), default=0)

    def spooled_bytes(self) -> int:
        """What its files take, the open one counted whole."""
        return (len(self.intake.segments()) + len(self.intake.open_segments())) * self.intake.segment_bytes

    def is_done(self) -> bool:
        """Is nothing that was handed over on its way any more?"""
        pending = {id(cargo) for cargo in self.line.pending()}
        self._cargo = [cargo for cargo in self._cargo if id(cargo) in pending]
        return not self._cargo

    def _take_beginning(self, segment: WalSegment, written: Written | None) -> int:
        # Before the file is read: what was told to be written by now is in it.
        told = written() if written is not None else self._left_at.get(segment.timeline)
        path = self.intake.open_path(segment)
        try:
            size = written_bytes(path)
        except FileNotFoundError:
            # It has become whole meanwhile.
            return 0
        if told is not None and segment.start <= told <= segment.end:
            size = max(size, told - segment.start)
        if size <= self._extents.get(segment.name, 0):
            return 0
        self._extents[segment.name] = size
        self._submit(segment, path, size)
        return size

    def _submit(self, segment: WalSegment, path: Path, size: int | None = None) -> None:
        system, length = self.intake.system_identifier, segment.size_bytes if size is None else size
        whole = self.intake.path(segment.name)

        def remove() -> None:
            path.unlink(missing_ok=True)

        cargo = Cargo(
            WalPiece.segment(system, segment.name) if size is None else WalPiece.partial(system, segment.name, length),
            length,
            segment.size_bytes,
            self.intake.server_version_num,
            lambda: _beginning_of_either(path, whole, length),
            segment.start,
            segment.start + length,
            done=remove if size is None else _nothing,
        )
        if len(self._cargo) > _MANY:
            self.is_done()
        self._cargo.append(cargo)
        self.line.submit(cargo)


def _beginning_of_either(path: Path, renamed: Path, length: int) -> Iterator[bytes]:
    """By the time that it is read, an open segment may have become a whole one."""
    try:
        yield from beginning(path, length)
    except FileNotFoundError:
        yield from beginning(renamed, length)


def _nothing() -> None:
    """There is nothing to do: the file goes on being written."""

"""Receivers one after another: each begins in a folder of its own where the one before it left off."""

from __future__ import annotations

import time
from contextlib import suppress

from holdfast.errors import DatabaseUnavailable, HoldfastError, PermanentError, TransientError
from holdfast.streaming.beginning import Findings, demand_slot, plan, receiver_name
from holdfast.streaming.control import Control
from holdfast.streaming.line import ShippingLine
from holdfast.streaming.reception import Reception, Written, history_cargo
from holdfast.streaming.source import Pause, Source
from holdfast.values.lsn import Lsn
from holdfast.values.wal_names import WalSegment
from holdfast.wal.replication import Receiver, WalRemoved, read_history
from holdfast.wal.spool import Intake, Spool
from holdfast.wal.timelines import TimelineHistory

# A receiver that has worked that long did not fail at once.
_STEADY_S = 5.0


class Receiving:
    """What is received, and what of it waits in the spool. ``cursor`` is the first segment that the store lacks.

    While more than ``limit_bytes`` wait, nothing is received: the source holds the rest.
    """

    def __init__(self, source: Source, spool: Spool, line: ShippingLine, findings: Findings, limit_bytes: int) -> None:
        self._source, self._spool, self._line, self._findings = source, spool, line, findings
        self._pause = Pause()
        self._from_slot = self._is_full = False
        self._started = 0.0
        self._receiver: Receiver | None = None
        self._current: Reception | None = None
        self._earlier: list[Reception] = []
        self.failure: HoldfastError | None = None
        control = source.control
        assert control is not None
        self.history: TimelineHistory = control.history.history
        self.segment_bytes = control.source.segment_bytes
        # Less would not hold what is being shipped.
        self._limit = max(limit_bytes, 4 * self.segment_bytes)
        self._cursor = 0

    @property
    def cursor(self) -> WalSegment:
        """The first segment that is not stored whole, along the server's timeline."""
        self._cursor = self._source.ledger.next_number(self.history, self._cursor, self.segment_bytes)
        return self._at(self._cursor)

    @property
    def before_cursor(self) -> WalSegment:
        """The one before it, which must not be asked for at segment 0."""
        return self._at(self.cursor.number - 1)

    @property
    def is_healthy(self) -> bool:
        """Is WAL coming in, or held back on purpose?"""
        return self._is_full or (self._receiver is not None and time.monotonic() - self._started > 1)

    @property
    def spooled_bytes(self) -> int:
        """Plaintext that waits."""
        return sum(each.spooled_bytes() for each in self._receptions())

    def tend(self) -> None:
        """Look after the receiver: end it, begin another; raises what no further attempt would mend."""
        if self._receiver is not None:
            self._examine(self._receiver)
        self._drop_finished()
        if self._receiver is not None or not self._pause.is_over():
            return
        if self._is_full:
            self._is_full = self.spooled_bytes > self._limit // 2
        if not self._is_full and self._source.control is not None:
            self._source.use(self._begin)

    def take(self) -> None:
        """Hand over what has become whole, and follow the server to another timeline."""
        for reception in self._receptions():
            try:
                reception.take_whole()
            except OSError:
                self._line.lost = True
        if self._current is not None and self._current.newest_timeline() > self.history.timeline:
            self._source.use(self._follow)

    def take_open(self) -> int:
        """Hand over what has come of the open segment; returns its bytes."""
        if self._current is None or any(cargo.piece.kind == "partial" for cargo in self._line.pending()):
            return 0
        return self._take_open(self._current, self._written)

    def secure_slot(self) -> None:
        """Make the slot anew that the server has given up: what the receiver still gets may be all that there is."""
        self._source.use(lambda control: demand_slot(control, self._source.ledger, self._findings))

    def end(self) -> None:
        """Receive no more, and hand over all that has come."""
        if self._receiver is None or self._current is None:
            return
        written = self._written()
        self._receiver.end()
        self._receiver = None
        with suppress(OSError):
            self._current.take_whole()
        self._take_open(self._current, lambda: written)
        self._earlier.append(self._current)
        self._current = None

    def kill(self) -> None:
        """End the receiver, whatever has happened."""
        if self._receiver is not None:
            self._receiver.end()
        self._drop_finished()

    def _examine(self, receiver: Receiver) -> None:
        assert self._current is not None
        if self._line.lost or not self._current.intake.folder.is_dir():
            self._findings.note("the spool lost files; they were received again")
            self.end()
            self._line.lost = False
        elif not receiver.is_running():
            self._failed(receiver.failure())
        elif self.spooled_bytes > self._limit:
            self._findings.note(f"the spool was full ({self._limit} bytes): meanwhile the source held the WAL")
            self._is_full = True
            self.end()
        elif time.monotonic() - self._started > _STEADY_S:
            self._pause.reset()

    def _failed(self, error: HoldfastError) -> None:
        self.end()
        self.failure = error
        if isinstance(error, WalRemoved):
            self._from_slot = True
        elif isinstance(error, PermanentError):
            raise error
        self._pause.fail()

    def _begin(self, control: Control) -> None:
        try:
            self._start(control)
        except DatabaseUnavailable as error:
            self.failure = error
            self._pause.fail()
            raise
        except TransientError as error:
            self.failure = error
            self._pause.fail()

    def _start(self, control: Control) -> None:
        """Plan anew each time: the server may have become another, on another timeline."""
        control.refresh()
        pending = frozenset(cargo.piece.name for cargo in self._line.pending() if cargo.piece.kind == "segment")
        start = plan(control, self._source.ledger, self._findings, pending, from_slot=self._from_slot)
        # Both at once: the slot is moved by them.
        self.history = control.history.history
        underway = [WalSegment.parse(name, self.segment_bytes) for name in pending]
        self._cursor = start.unstored(each.number for each in underway if each == self._at(each.number))
        intake = self._spool.intake(
            self._source.ledger.system_identifier, self.segment_bytes, control.source.server_version_num
        )
        intake.seed(self._at(start.number))
        self._ship_histories(control, intake)
        self._receiver = Receiver(
            self._source.client(), control.target, intake.folder, receiver_name(self._source.slot)
        )
        self._current = Reception(intake, self._line)
        self._started = time.monotonic()
        self._from_slot = False

    def _at(self, number: int) -> WalSegment:
        return self.history.segment(number, self.segment_bytes)

    def _follow(self, control: Control) -> None:
        control.refresh()
        self.history = control.history.history
        self._cursor = min(self._cursor, self.history.begins_at.value // self.segment_bytes)

    def _ship_histories(self, control: Control, intake: Intake) -> None:
        """A server names only its newest history to receivers; those before it are asked for, and may be gone."""
        for timeline in (*self.history.ancestors, self.history.timeline):
            if timeline == 1 or self._source.ledger.has_history(timeline):
                continue
            with suppress(HoldfastError):
                is_newest = timeline == self.history.timeline
                found = control.history if is_newest else read_history(control.target, timeline)
                self._line.submit(history_cargo(found.content, timeline, intake))

    def _written(self) -> Lsn | None:
        receiver = self._receiver
        return None if receiver is None else self._source.use(lambda control: control.written_lsn(receiver.name))

    def _take_open(self, reception: Reception, written: Written) -> int:
        try:
            return reception.take_open(written)
        except OSError:
            self._line.lost = True
            return 0

    def _receptions(self) -> list[Reception]:
        return [*self._earlier, *([self._current] if self._current is not None else [])]

    def _drop_finished(self) -> None:
        for reception in [each for each in self._earlier if each.is_done()]:
            reception.intake.remove()
            self._earlier.remove(reception)

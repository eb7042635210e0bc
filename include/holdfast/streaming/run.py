"""One run of the streamer: leftovers, connection, the loop, and an end that leaves nothing half done."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass

from holdfast.environment import Environment
from holdfast.errors import DatabaseUnavailable, HoldfastError, StoreError
from holdfast.progress import Progress
from holdfast.streaming.beginning import Findings
from holdfast.streaming.control import Control
from holdfast.streaming.leftovers import ship_leftovers
from holdfast.streaming.line import ShippingLine
from holdfast.streaming.marks import Marker, Marks
from holdfast.streaming.receiving import Receiving
from holdfast.streaming.report import StreamReport
from holdfast.streaming.shipping import Shipper
from holdfast.streaming.source import Source
from holdfast.streaming.status import Telltale
from holdfast.streaming.telling import Telling
from holdfast.values import figures
from holdfast.values.lsn import Lsn
from holdfast.wal.slot import HoldingSlot
from holdfast.wal.spool import Spool

_TICK_S = 0.1
_RECENT_SEGMENTS = 16
_LOOK_S = 1.0
# Away for so long, the run fails and somebody is told; the next one tries again.
_PATIENCE_S = 120.0
_DRAIN_S, _LAST_DRAIN_S = 30.0, 3.0
# An open segment is read anew each time that it is shipped: of large ones that must not become most of the work.
_OPEN_BYTES_PER_S = 40 << 20


@dataclass(frozen=True, slots=True)
class Ending:
    """When to end: at ``stop``, or after ``seconds``."""

    stop: threading.Event
    seconds: float | None
    began: float

    def is_due(self) -> bool:
        """Is it time?"""
        return self.stop.is_set() or (self.seconds is not None and time.monotonic() - self.began >= self.seconds)


class Run:
    """The loop works in the caller's thread, which alone uses the control session; shipping has threads of its own."""

    def __init__(self, environment: Environment, spool: Spool, ending: Ending, progress: Progress) -> None:
        self._environment, self._spool, self._ending = environment, spool, ending
        self._policy = environment.policy.wal
        self._findings = Findings()
        self._marks = Marks()
        self._marker = Marker(is_wanted=self._policy.marker)
        self._source = Source(environment)
        self._telling = Telling(progress)
        self._due = dict.fromkeys(("mark", "look", "open", "slot"), 0.0)
        self._advanced = Lsn(0)
        self._retained: int | None = None
        self._healthy = time.monotonic()

    def run(self) -> StreamReport:
        """Stream until the end; raises what stands against it, once all is ended that was begun."""
        ship_leftovers(self._environment, self._spool, self._ending.is_due)
        control = self._source.open()
        self._examine(control)
        shipper = Shipper(self._environment, self._source.ledger, self._marks)
        self._line = ShippingLine(shipper)
        self._receiving = Receiving(
            self._source, self._spool, self._line, self._findings, int(self._policy.spool_limit)
        )
        self._telltale = Telltale(self._environment, self._findings, self._source.ledger.system_identifier)
        try:
            shipper.clear()
            self._recall(shipper, control)
            while not self._ending.is_due():
                self._turn()
                self._ending.stop.wait(_TICK_S)
            self._finish()
        finally:
            self._line.end()
            self._telltale.abandon()
            self._receiving.kill()
            self._source.close()
        return self._report()

    def _examine(self, control: Control) -> None:
        """Whoever may only write to the bucket must not make the source remove what nobody has."""
        slot, ledger, source = control.slot(), self._source.ledger, control.source
        held = None if slot is None else slot.restart_lsn
        recent = Lsn(max(0, source.flush_lsn.value - _RECENT_SEGMENTS * source.segment_bytes))
        ledger.examine_from(recent if held is None else min(held, source.flush_lsn), source.segment_bytes)
        for key, why in ledger.foreign.items():
            self._findings.note(f"{key} counts as not stored: {why}")

    def _turn(self) -> None:
        self._source.tend()
        self._receiving.tend()
        self._receiving.take()
        if self._is_due("mark", self._policy.mark_every.as_seconds):
            self._mark()
        if self._is_due("look", _LOOK_S):
            self._look()
        if self._is_due("open", self._policy.ship_every.as_seconds):
            self._due["open"] += self._receiving.take_open() / _OPEN_BYTES_PER_S
        self._demand_progress()

    def _look(self) -> None:
        """Where does the server stand, what is stored of it, and what may it remove?"""
        stored, flush = self._compare()
        trouble = "; ".join(filter(None, (str(self._line.outage or ""), self._held_back())))
        self._telling.tell(self._line.shipped, stored, flush, trouble)
        if self._is_due("slot", 5.0):
            slot = self._look_at_slot()
            # Given up by the server, or dropped by somebody: until it stands again, an outage of ours is a gap.
            if self._source.control is not None and (slot is None or slot.is_lost):
                self._receiving.secure_slot()

    def _compare(self) -> tuple[Lsn | None, Lsn | None]:
        """(up to where all is stored, up to where the server has flushed), each None where that is not known."""
        asked_at = self._environment.clock()
        self._source.use(Control.refresh)
        self._settle()
        control, stored = self._source.control, self._stored_lsn()
        flush = None if control is None else control.source.flush_lsn
        self._telltale.note(asked_at, self._receiving.history.timeline, flush, stored)
        return stored, flush

    def _look_at_slot(self) -> HoldingSlot | None:
        slot = self._source.use(Control.slot)
        self._retained = self._retained if slot is None else slot.retained_bytes
        if self._source.control is not None:
            self._telltale.note_slot(slot)
        return slot

    def _held_back(self) -> str:
        """What the slot costs the source's disk by now, where the policy says that this is too much."""
        for name in ("retained_page", "retained_warning"):
            limit = getattr(self._policy, name)
            if self._retained is not None and self._retained >= limit:
                return f"the source holds back more WAL than wal.{name} ({figures.size(limit)}) allows"
        return ""

    def _settle(self) -> None:
        """Move the slot behind what is stored without a gap."""
        start, control = self._receiving.cursor.start, self._source.control
        # Another server may answer by now, on whose timeline it is not planned yet what is stored.
        if control is None or control.history.history != self._receiving.history:
            return
        if start > self._advanced and self._source.use(lambda control: control.advance(start)):
            self._advanced = start
            self._marks.forget(start)

    def _mark(self) -> None:
        control = self._source.control
        if control is None or control.source.in_recovery:
            return
        mark = self._source.use(lambda control: self._marker.mark(control.session))
        if mark is not None:
            self._marks.add(control.source.timeline, mark)
        if self._marker.refusal is not None:
            self._findings.note(f"no marker is written into the WAL: {self._marker.refusal}")

    def _recall(self, shipper: Shipper, control: Control) -> None:
        """The marks of the open segment lie in the record of its beginning, which will be replaced."""
        for piece in self._source.ledger.beginnings():
            if piece.timeline == control.source.timeline:
                shipper.recall(piece)

    def _demand_progress(self) -> None:
        if self._line.error is not None:
            raise self._line.error
        now = time.monotonic()
        if self._source.control is not None and self._receiving.is_healthy:
            self._healthy = now
        elif now - self._healthy > _PATIENCE_S:
            raise self._failure()

    def _failure(self) -> HoldfastError:
        found = self._source.failure if self._source.control is None else self._receiving.failure
        return found or DatabaseUnavailable(f"{self._environment.title}: no WAL is being received")

    def _finish(self) -> None:
        """What has been received is stored as far as that goes; the rest waits in the spool and on the source."""
        self._receiving.end()
        is_all = self._line.drain(_LAST_DRAIN_S if self._ending.stop.is_set() else _DRAIN_S)
        if self._line.error is not None:
            raise self._line.error
        self._compare()
        shipped, outage = self._line.shipped, self._line.outage
        if not is_all:
            why = "" if outage is None else f": {outage.message}"
            self._findings.note(f"{len(self._line.pending())} pieces of WAL are not stored yet{why}")
            if not shipped.segments + shipped.partials:
                raise outage or StoreError(f"store {self._environment.store.url}: nothing could be stored in time")
        self._look_at_slot()
        if held_back := self._held_back():
            self._findings.note(f"{held_back}: `holdfast doctor` says how to give up the slot before the disk is full")
        if self._source.control is None and self._source.failure is not None:
            self._findings.note(f"the source was away at the end: {self._source.failure.message}")
        self._telltale.end(is_hurried=self._ending.stop.is_set(), is_store_away=outage is not None)

    def _stored_lsn(self) -> Lsn | None:
        segment, ledger = self._receiving.cursor, self._source.ledger
        end = ledger.end(segment)
        if end > segment.start or (segment.number and ledger.has(self._receiving.before_cursor.name)):
            return end
        return None

    def _report(self) -> StreamReport:
        shipped, stored = self._line.shipped, self._stored_lsn()
        self._telling.end(shipped, stored)
        return StreamReport(
            system_identifier=self._source.ledger.system_identifier,
            timeline=self._receiving.history.timeline,
            segments=shipped.segments,
            partials=shipped.partials,
            wal_bytes=shipped.wal_bytes,
            stored_bytes=shipped.stored_bytes,
            stored_lsn=None if stored is None else str(stored),
            seconds=time.monotonic() - self._ending.began,
            retained_bytes=self._retained,
            gap="; ".join(self._findings.gaps) or None,
            notes=tuple(self._findings.notes),
        )

    def _is_due(self, what: str, every_s: float) -> bool:
        now = time.monotonic()
        if now < self._due[what]:
            return False
        self._due[what] = now + every_s
        return True

"""Begin to receive: find or make the slot, decide from where, and start a receiver there."""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field

from holdfast.errors import DatabaseUnavailable, IntegrityError
from holdfast.streaming.control import Control
from holdfast.streaming.ledger import Ledger
from holdfast.streaming.start import Start, plan_start
from holdfast.values.lsn import Lsn
from holdfast.wal.server import read_source
from holdfast.wal.slot import HoldingSlot


@dataclass
class Findings:
    """What is told at the end: WAL that is lost, and what else people should know.

    ``losses``: the gaps, and slots that the server gave up, of which nobody knows yet whether they cost anything.
    """

    gaps: dict[str, None] = field(default_factory=dict)
    notes: dict[str, None] = field(default_factory=dict)
    losses: dict[str, None] = field(default_factory=dict)

    def gap(self, text: str | None) -> None:
        """Note a gap once."""
        if text is not None:
            self.gaps[text] = None
            self.losses[text] = None

    def given_up(self, text: str) -> None:
        """Note once that the server has given up the slot."""
        self.notes[text] = None
        self.losses[text] = None

    def note(self, text: str) -> None:
        """Note anything else once."""
        self.notes[text] = None


def demand_slot(control: Control, ledger: Ledger, findings: Findings) -> HoldingSlot:
    """The slot, made where there is none and anew where the server has given it up."""
    slot = control.slot()
    if slot is not None and not slot.is_lost and slot.restart_lsn is not None:
        return slot
    if slot is not None:
        findings.given_up(
            f"the replication slot {slot.name} was given up by the server (wal_status {slot.wal_status}) and made anew;"
            " see max_slot_wal_keep_size and idle_replication_slot_timeout"
        )
    made = control.new_slot()
    if slot is None and not ledger.is_empty:
        findings.note(f"the replication slot {made.name} was not on the server and was made")
    return made


def plan(control: Control, ledger: Ledger, findings: Findings, pending: frozenset[str], *, from_slot: bool) -> Start:
    """Where the store wants WAL from, segments that are ``pending`` being as good as stored.

    ``from_slot``: what lies before the slot was found to be gone.
    Raises IntegrityError where the store is ahead of the server (DatabaseUnavailable of one that only follows).
    """
    slot = demand_slot(control, ledger, findings)
    source, history = control.source, control.history.history
    on_server = frozenset[str]() if from_slot else control.server_segments()
    held_from = slot.restart_lsn or Lsn(0)
    begun = frozenset(piece.file for piece in ledger.beginnings())
    start = plan_start(
        history, held_from, source.segment_bytes, stored=pending | ledger.segments(), begun=begun, on_server=on_server
    )
    findings.gap(start.gap)
    if ledger.newest_timeline > history.timeline and ledger.newest_timeline not in history.ancestors:
        findings.note(
            f"the store holds timeline {ledger.newest_timeline}, of which this server on timeline {history.timeline} "
            "knows nothing: is it an old primary?"
        )
    first = history.segment(start.number, source.segment_bytes)
    # It has moved on since it was asked: a slot is made where the newest checkpoint began.
    if first.start > source.flush_lsn and first.start > (source := read_source(control.session)).flush_lsn:
        message = f"WAL of {source.system_identifier}: the store has it up to {first.start}, "
        if source.in_recovery:
            raise DatabaseUnavailable(f"{message}this standby only up to {source.flush_lsn}")
        raise IntegrityError(
            f"{message}the server only up to {source.flush_lsn}",
            hint="It is an older copy of the cluster, or one that lost its newest WAL: connect the right one, or take "
            "this copy out of recovery on a timeline of its own.",
        )
    return start


def receiver_name(slot: str) -> str:
    """A name by which the server tells one receiver from all others."""
    return f"{slot[:40]} {secrets.token_hex(6)}"

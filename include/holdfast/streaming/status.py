"""Tells of the streamer in the store: how far it is, what it costs the source, what is lost."""

from __future__ import annotations

import secrets
import socket
import time
from datetime import datetime

from holdfast.catalog.wal_status import status_name
from holdfast.environment import Environment
from holdfast.manifest.wal import WalStatus
from holdfast.streaming.beginning import Findings
from holdfast.streaming.catching_up import CatchingUp
from holdfast.streaming.status_writer import StatusWriter
from holdfast.values.lsn import Lsn
from holdfast.wal.slot import HoldingSlot

_EVERY_S, _AFTER_FAILURE_S, _FIRST_S = 60.0, 5.0, 10.0
_LAST_S, _HURRIED_S = 3.0, 1.0


class Telltale:
    """What is known, noted as it becomes known, and stored about once a minute; at once when WAL is lost."""

    def __init__(self, environment: Environment, findings: Findings, system_identifier: str) -> None:
        self._environment, self._findings, self._system = environment, findings, system_identifier
        self._writer = StatusWriter(environment, system_identifier)
        self._catching_up = CatchingUp()
        self._began, self._told = time.monotonic(), float("-inf")
        self._timeline = 0
        self._source: Lsn | None = None
        self._stored: Lsn | None = None
        self._slot: HoldingSlot | None = None
        self._lost: str | None = None
        self._lost_at: datetime | None = None

    def note(self, at: datetime, timeline: int, source: Lsn | None, stored: Lsn | None) -> None:
        """Where the source and the store stand: ``at`` is before the source was asked, None that it was not to be."""
        self._catching_up.note(at, timeline, source, stored)
        self._timeline, self._stored = timeline, stored
        self._source = self._source if source is None else source
        lost = "; ".join(self._findings.losses) or None
        if lost != self._lost:
            self._lost, self._lost_at = lost, at
            self._told = float("-inf")
        if self._is_due():
            self._tell(at)

    def note_slot(self, slot: HoldingSlot | None) -> None:
        """The slot as it stands."""
        self._slot = slot

    def end(self, *, is_hurried: bool, is_store_away: bool) -> None:
        """The last word; a store that is away is not waited for."""
        self._tell(self._environment.clock())
        self._writer.end(0.0 if is_store_away else _HURRIED_S if is_hurried else _LAST_S)
        if self._writer.failure is not None:
            self._findings.note(f"how the streamer stands could not be stored: {self._writer.failure}")

    def abandon(self) -> None:
        """Say nothing more."""
        self._writer.end(0.0)

    def _is_due(self) -> bool:
        now = time.monotonic()
        is_first = self._told == float("-inf") and self._lost is None
        if is_first and self._catching_up.caught_up_at is None:
            return now - self._began > _FIRST_S
        return now - self._told >= (_AFTER_FAILURE_S if self._writer.failure is not None else _EVERY_S)

    def _tell(self, at: datetime) -> None:
        self._told = time.monotonic()
        slot, source, stored = self._slot, self._source, self._stored
        keys = self._environment.keys
        status = WalStatus(
            name=status_name(at, secrets.token_hex(3)),
            app=keys.app,
            environment=keys.environment,
            system_identifier=self._system,
            host=socket.gethostname(),
            at=at,
            timeline=self._timeline,
            stored_lsn=None if stored is None else str(stored),
            source_lsn=None if source is None else str(source),
            behind_bytes=None if source is None or stored is None else max(0, source - stored),
            caught_up_at=self._catching_up.caught_up_at or self._writer.known_caught_up_at,
            retained_bytes=None if slot is None else slot.retained_bytes,
            safe_wal_bytes=None if slot is None else slot.safe_wal_bytes,
            wal_status=None if slot is None else slot.wal_status,
            lost=self._lost,
            lost_at=self._lost_at,
        )
        self._writer.submit(status)

"""Receivers of WAL that run beside a load: ``holdfast wal stream``, and ``pg_receivewal`` alone to a local folder."""

from __future__ import annotations

import os
import re
import shutil
import signal
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from bench.background import Background
from bench.engine import APP, Engine
from bench.running import Run
from holdfast.errors import PermanentError
from holdfast.values.lsn import Lsn
from holdfast.values.wal_names import WalSegment
from holdfast.wal.extent import written_bytes

SEGMENT_BYTES = 16 << 20
_PIECE = re.compile(r"(?P<name>[0-9A-F]{24})(?:[.](?P<end>[0-9A-F]{8})[.]partial)?[.]zst[.]age")
_PATIENCE_S, _POLL_S = 60.0, 0.05


class Receiving(Protocol):
    """One kind of receiver, which begins anew with an empty folder each time."""

    name: str

    def begin(self, first: WalSegment) -> None:
        """Start it at that segment."""

    def reached(self) -> Lsn:
        """Up to where all WAL from the first segment on has been brought in."""

    def has_begun(self) -> bool:
        """Has a whole segment come from the server, stored or not?"""

    def end(self) -> Run:
        """Stop it; what it took."""


@dataclass
class Streamer:
    """``holdfast wal stream`` into an empty local store, with an empty spool."""

    engine: Engine
    environment: str
    name: str = "holdfast wal stream"
    _first: int = 0
    _process: Background | None = field(default=None, init=False)

    def begin(self, first: WalSegment) -> None:
        """Its slot must stand there already, or not at all."""
        place = self.engine.place
        shutil.rmtree(place.stores / APP / self.environment, ignore_errors=True)
        shutil.rmtree(place.files / "spool", ignore_errors=True)
        options = ("--spool", place.files / "spool", "--json")
        argv: list[str | Path] = [sys.executable, "-m", "holdfast", "wal", "stream"]
        argv += [place.policy, self.environment, *options]
        self._first = first.number
        self._process = Background(argv, self.engine.env, place.files / "stream.json")
        self._process.start()

    def reached(self) -> Lsn:
        """Read from the names in the store alone: a piece appears there whole, after its record."""
        assert self._process is not None
        self._process.demand_running()
        return reached_in(self.engine.place.stores / APP / self.environment / "wal", self._first)

    def has_begun(self) -> bool:
        """In its spool, or already out of it."""
        spool = self.engine.place.files / "spool"
        is_spooled = any(len(path.name) == 24 for path in spool.glob("*/*"))
        return is_spooled or self.reached().value > (self._first + 1) * SEGMENT_BYTES

    def end(self) -> Run:
        """By SIGTERM; its output is the report."""
        assert self._process is not None
        return self._process.end(signal.SIGTERM)


@dataclass
class PlainReceiver:
    """``pg_receivewal`` as it is by default: it flushes each segment to the disk."""

    program: Path
    env: Mapping[str, str]
    folder: Path
    name: str = "pg_receivewal"
    _first: int = 0
    _process: Background | None = field(default=None, init=False)

    def begin(self, first: WalSegment) -> None:
        """It goes on with an open segment that is in its folder."""
        shutil.rmtree(self.folder, ignore_errors=True)
        self.folder.mkdir()
        (self.folder / f"{first}.partial").touch()
        self._first = first.number
        argv = (self.program, "-D", self.folder, "--no-loop", "--status-interval=1", "--no-password")
        self._process = Background(argv, self.env, self.folder.with_suffix(".out"))
        self._process.start()

    def reached(self) -> Lsn:
        """Whole segments, and what of the open one has come."""
        assert self._process is not None
        self._process.demand_running()
        names = {path.name for path in self.folder.iterdir()}
        whole = {WalSegment.parse(name, SEGMENT_BYTES).number for name in names if len(name) == 24}
        number = self._first
        while number in whole:
            number += 1
        opened = self.folder / f"{WalSegment(1, number, SEGMENT_BYTES)}.partial"
        try:
            return Lsn(number * SEGMENT_BYTES + written_bytes(opened))
        except FileNotFoundError:
            return Lsn(number * SEGMENT_BYTES)

    def has_begun(self) -> bool:
        """In its folder."""
        return any(len(path.name) == 24 for path in self.folder.iterdir())

    def end(self) -> Run:
        """By SIGINT, as its manual says."""
        assert self._process is not None
        done = self._process.end(signal.SIGINT)
        shutil.rmtree(self.folder)
        return done


def reached_in(folder: Path, first: int) -> Lsn:
    """Up to where the pieces in a local store go on without a gap from segment ``first`` on."""
    whole: set[int] = set()
    begun: dict[int, int] = {}
    for timeline in folder.glob("*/*"):
        for entry in os.scandir(timeline):
            found = _PIECE.fullmatch(entry.name)
            if found is None:
                continue
            number = WalSegment.parse(found["name"], SEGMENT_BYTES).number
            if found["end"] is None:
                whole.add(number)
            else:
                begun[number] = max(begun.get(number, 0), int(found["end"], 16))
    while first in whole:
        first += 1
    return Lsn(first * SEGMENT_BYTES + begun.get(first, 0))


def await_begun(receiver: Receiving) -> None:
    """Wait until it has a whole segment from the server."""
    _await(receiver.has_begun, f"{receiver.name}: has received nothing")


def await_covered(receiver: Receiving, lsn: Lsn) -> None:
    """Wait until it has brought in everything up to there."""
    _await(lambda: receiver.reached() >= lsn, f"{receiver.name}: has not reached {lsn}")


def _await(is_so: Callable[[], bool], otherwise: str) -> None:
    deadline = time.monotonic() + _PATIENCE_S
    while not is_so():
        if time.monotonic() > deadline:
            raise PermanentError(f"{otherwise} after {_PATIENCE_S:g} s")
        time.sleep(_POLL_S)

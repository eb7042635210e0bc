"""Feeds WAL to a recovering server: fetched, proven and unpacked ahead of it, into a bounded folder."""

from __future__ import annotations

import fcntl
import os
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path

from holdfast.catalog.wal import WalPiece
from holdfast.environment import Environment
from holdfast.errors import HoldfastError, ObjectMissing, TransientError
from holdfast.pitr.fetch_script import ALIVE, FAILED, MISSING, READY, SCRIPT, TEXT, WANTED
from holdfast.pitr.fetching import piece_bytes
from holdfast.pitr.wal_plan import WalPlan, grown
from holdfast.recovery.account import Account
from holdfast.values.wal_names import WalSegment, is_segment_name

_LOOK_S = 0.005
_MOST_BYTES = 256 << 20
_LEAST, _MOST = 4, 64
_ATTEMPTS = 4


class WalFeeder:
    """Keeps the next segments ready in ``folder``, a few threads fetching, and answers what else is asked for.

    A piece that cannot be fetched, or is not what was recorded, is ``failure`` once the server wants it, and the server
    is made to stop: what lies before it can still be recovered to. ``has_fed_all``: the server has taken the last
    piece; ``was_asked_for_more``: and come back. ``waited_seconds``: how long it has waited for pieces.
    """

    def __init__(
        self, environment: Environment, plan: WalPlan, folder: Path, account: Account, advance: Callable[[int], None]
    ) -> None:
        self.failure: BaseException | None = None
        self.fed_bytes = 0
        self.waited_seconds = 0.0
        self.has_fed_all = False
        self.was_asked_for_more = False
        self._environment = environment
        self._plan = plan
        self._folder = folder
        self._account = account
        self._advance = advance
        self._identities = environment.demand_identities()
        self._verifier = environment.verifier()
        self._ahead = max(_LEAST, min(_MOST, _MOST_BYTES // plan.segment_bytes))
        self._coming = plan.in_order()
        self._fetching: dict[str, Future[None]] = {}
        self._ready: set[str] = set()
        self._since: dict[str, float] = {}
        self._tried_again: set[str] = set()
        self._stop = threading.Event()
        self._looking = threading.Lock()

    def begin_again(self) -> None:
        """The server will be started once more, and take some of it a second time; what failed may not be wanted."""
        with self._looking:
            self.has_fed_all = self.was_asked_for_more = False
            self.failure = None
            self._since.clear()
            for entry in os.scandir(self._folder):
                if entry.name == FAILED or entry.name.endswith((WANTED, MISSING)):
                    Path(entry.path).unlink()

    @contextmanager
    def feeding(self) -> Iterator[WalFeeder]:
        """Feed while the block runs."""
        self._account.make_folder(self._folder)
        self._write(SCRIPT, TEXT)
        self._write(ALIVE, "")
        alive = os.open(self._folder / ALIVE, os.O_RDWR | os.O_CLOEXEC)
        fcntl.flock(alive, fcntl.LOCK_EX)
        workers = max(2, min(4, os.cpu_count() or 1))
        with ThreadPoolExecutor(workers, "WAL") as pool:
            feeder = threading.Thread(target=self._feed, args=(pool,), name="WAL feeder", daemon=True)
            feeder.start()
            try:
                yield self
            finally:
                self._stop.set()
                feeder.join()
                pool.shutdown(cancel_futures=True)
                os.close(alive)

    def _feed(self, pool: ThreadPoolExecutor) -> None:
        try:
            while not self._stop.wait(_LOOK_S):
                with self._looking:
                    names = {entry.name for entry in os.scandir(self._folder)}
                    self._take_note(names)
                    self._fetch_ahead(pool)
                    self._answer(pool, {name.removesuffix(WANTED) for name in names if name.endswith(WANTED)})
        except BaseException as error:
            self._fail(error)

    def _take_note(self, names: set[str]) -> None:
        """Of what has come, and of what the server has taken."""
        for name in [name for name in self._ready if name + READY not in names]:
            self._ready.discard(name)
            if is_segment_name(name):
                self.fed_bytes += self._plan.segment_bytes
                self._advance(self._plan.segment_bytes)
                self.has_fed_all = self.has_fed_all or self._is_last(name)
        for name in [name for name, future in self._fetching.items() if future.done() and not future.exception()]:
            del self._fetching[name]
            self._ready.add(name)
        for name in [name for name in self._since if name + WANTED not in names]:
            self.waited_seconds += time.time() - self._since.pop(name)

    def _fetch_ahead(self, pool: ThreadPoolExecutor) -> None:
        while len(self._ready) + len(self._fetching) < self._ahead:
            piece = next(self._coming, None)
            if piece is None:
                return
            self._begin(pool, piece)

    def _answer(self, pool: ThreadPoolExecutor, wanted: set[str]) -> None:
        for name in wanted:
            if name not in self._since:
                with suppress(FileNotFoundError):
                    self._since[name] = (self._folder / f"{name}{WANTED}").stat().st_mtime
            if name in self._ready:
                continue
            future = self._fetching.get(name)
            if future is not None and future.done() and (error := future.exception()) is not None:
                if name in self._tried_again or not isinstance(error, TransientError):
                    self._fail(error)
                else:  # what failed long before it was needed may work now
                    self._tried_again.add(name)
                    del self._fetching[name]
                    self._ask(pool, name)
            elif future is None and not (self._folder / f"{name}{MISSING}").exists():
                self._ask(pool, name)

    def _ask(self, pool: ThreadPoolExecutor, name: str) -> None:
        try:
            answer = self._plan.answer(name)
        except HoldfastError as error:
            self._fail(error)
            return
        if self.has_fed_all and is_segment_name(name):
            self.was_asked_for_more = True
            if self._is_last(name):  # it has it, and looks whether there is more of it by now
                answer = "missing"
        if answer == "missing":
            self._write(f"{name}{MISSING}", "")
            return
        self._begin(pool, answer)
        if is_segment_name(name):
            self._coming = self._plan.in_order(WalSegment.parse(name, self._plan.segment_bytes).number + 1)

    def _begin(self, pool: ThreadPoolExecutor, piece: WalPiece) -> None:
        if piece.file not in self._fetching and piece.file not in self._ready:
            self._fetching[piece.file] = pool.submit(self._fetch, piece)

    def _is_last(self, name: str) -> bool:
        return WalSegment.parse(name, self._plan.segment_bytes).number >= self._plan.last

    def _fail(self, error: BaseException) -> None:
        self.failure = self.failure or error
        with suppress(OSError):
            self._write(FAILED, "")

    def _fetch(self, piece: WalPiece) -> None:
        """A store that does not answer is asked again: an hour of replay must not end for one lost packet."""
        for attempt in range(_ATTEMPTS):
            try:
                self._fetch_once(piece)
            except TransientError:
                if attempt == _ATTEMPTS - 1 or self._stop.wait(2.0**attempt):
                    raise
            except ObjectMissing:
                more = grown(self._environment, piece) if piece.kind == "partial" else None
                if more is None or attempt == _ATTEMPTS - 1:
                    raise
                piece = more
            else:
                return

    def _fetch_once(self, piece: WalPiece) -> None:
        draft = self._folder / f"{piece.file}.new"
        with open(draft, "wb", opener=_private) as file:
            if self._account.name is not None:
                os.fchown(file.fileno(), self._account.uid, self._account.gid)
            for part in piece_bytes(self._environment, piece, self._identities, self._verifier):
                file.write(part)
                if self._stop.is_set():
                    return
            if piece.kind == "partial":
                file.truncate(self._plan.segment_bytes)  # the rest reads as zeros, as the server left it
        draft.rename(self._folder / f"{piece.file}{READY}")

    def _write(self, name: str, text: str) -> None:
        draft = self._folder / f"{name}.draft"
        self._account.write_secret(draft, text)
        draft.rename(self._folder / name)


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)

"""The memory of one environment's watch: in the store, and on this host for as long as the store is away."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime
from pathlib import Path

from holdfast.crypto.signing import Signer
from holdfast.environment import Environment
from holdfast.errors import HoldfastError
from holdfast.storage.local import LocalStore
from holdfast.watch.state.book import Book
from holdfast.watch.state.records import WatchRecord

FOLDER_VARIABLE = "HOLDFAST_STATE"


class Memory:
    """``record`` is what stands; ``away`` says why the store's memory is not it, None where it is.

    Nothing here raises for a store's fault: an alert must go out all the same.
    """

    def __init__(self, environment: Environment, signer: Signer, now: datetime) -> None:
        self.away: str | None = None
        self.record = WatchRecord(app=environment.app, environment=environment.name, at=now)
        self._signer = signer
        # Our own records are checked by the key that signs them: another verify key must not make us forget.
        self._verifier = signer.verifier()
        self._now = now
        self._book = Book(environment.store, environment.keys, self._verifier)
        self._place = local_folder(environment)
        self._local = Book(LocalStore(self._place), environment.keys, self._verifier)
        try:
            self.record = self._book.newest(now)
        except (HoldfastError, OSError) as error:
            self._leave(error)
        else:
            self._bring_back()

    @property
    def faults(self) -> dict[str, str]:
        """What stood in the store and was not ours, by key."""
        return self._book.faults

    def change(self, change: Callable[[WatchRecord], WatchRecord]) -> WatchRecord:
        """Remember what ``change`` makes of the memory; returns what stands then, also where nothing can be kept."""
        if change(self.record) == self.record:
            return self.record
        if self.away is None:
            try:
                self.record = self._book.change(self._signer, self._now, change)
            except (HoldfastError, OSError) as error:
                self._leave(error)
            else:
                return self.record
        before = self.record
        try:
            # The first record here goes on from what the store remembered before it went away.
            self.record = self._local.change(
                self._signer, self._now, lambda record: change(record if record.number else before)
            )
        except (HoldfastError, OSError):
            self.record = change(self.record)
        return self.record

    def _leave(self, error: Exception) -> None:
        self.away = error.message if isinstance(error, HoldfastError) else "the store does not answer"
        with suppress(HoldfastError, OSError):
            local = self._local.newest(self._now)
            self.record = local if local.number and not self.record.number else self.record

    def _bring_back(self) -> None:
        """The store is back: what was kept here meanwhile is added to its memory."""
        if not self._place.is_dir():
            return
        with suppress(HoldfastError, OSError):
            kept = self._local.newest(self._now)
            if kept.alerts:
                self.change(lambda record: _joined(record, kept))
            if self.away is None and kept.number:
                self._local.clear()


def local_folder(environment: Environment) -> Path:
    """Where this host keeps the memory of an environment whose store is away."""
    root = os.environ.get(FOLDER_VARIABLE) or str(Path.home() / ".local/state/holdfast")
    store = hashlib.sha256(environment.store.url.encode()).hexdigest()[:12]
    return Path(root).absolute() / f"watch-{store}"


def _joined(record: WatchRecord, kept: WatchRecord) -> WatchRecord:
    """What was kept here is newer, unless another host has written to the store since."""
    first, second = (record, kept) if kept.at >= record.at else (kept, record)
    alerts = {alert.thread: alert for each in (first, second) for alert in each.alerts}
    failing = second.failing if second is kept else record.failing
    return record.model_copy(update={"alerts": tuple(alerts[thread] for thread in sorted(alerts)), "failing": failing})

"""The WAL streamer: from a server into the store, without a gap, whatever dies on the way."""

from __future__ import annotations

import hashlib
import os
import tempfile
import threading
import time
from contextlib import suppress
from pathlib import Path

from holdfast.environment import Environment
from holdfast.errors import UsageError
from holdfast.progress import Progress, Silent
from holdfast.streaming.report import StreamReport
from holdfast.streaming.run import Ending, Run
from holdfast.wal.spool import Spool

__all__ = ["StreamReport", "stream_wal"]

_SILENT = Silent()


def stream_wal(
    environment: Environment,
    *,
    seconds: float | None = None,
    spool: Path | None = None,
    stop: threading.Event | None = None,
    progress: Progress = _SILENT,
) -> StreamReport:
    """Stream WAL into the store for ``seconds``, or until ``stop`` is set; then end within a few seconds.

    ``spool`` is a folder for what is not stored yet, one of the environment's in the temporary folder unless given.
    What is left in it is stored by the next run. Raises UsageError where another streamer works for this environment,
    PermanentError for a server that it is not the environment's or that allows no replication, IntegrityError where
    the store has other content under a name, DatabaseUnavailable and StoreError where these stayed away.
    """
    if environment.policy.database.pitr != "streaming":
        raise UsageError(
            f"{environment.title}: its policy says `pitr: {environment.policy.database.pitr}`, so no WAL is streamed",
            hint="Set database.pitr to streaming.",
        )
    ending = Ending(stop or threading.Event(), seconds, time.monotonic())
    # Nobody's WAL may get into another environment's store by way of a folder that both have used.
    owner = f"{environment.title} {environment.store.url}"
    with Spool(spool or _default_spool(environment, owner), owner) as opened:
        report = Run(environment, opened, ending, progress).run()
    if spool is None:
        with suppress(OSError):
            opened.folder.rmdir()
    return report


def _default_spool(environment: Environment, owner: str) -> Path:
    distinct = hashlib.sha256(owner.encode()).hexdigest()[:12]
    return Path(tempfile.gettempdir()) / f"holdfast-wal-{environment.app}-{environment.name}-{distinct}-{os.geteuid()}"

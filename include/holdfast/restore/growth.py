"""Progress of a parallel restore: pg_restore tells none, but the database that it fills can be watched growing."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from holdfast.errors import HoldfastError
from holdfast.postgres.conninfo import Target
from holdfast.postgres.session import connect, translated
from holdfast.progress import Progress

_EVERY_S = 2.0


@contextmanager
def watched_growth(target: Target, progress: Progress) -> Iterator[None]:
    """While the block runs, report how the database's size in bytes grows; that it cannot be told is no error."""
    done = threading.Event()
    watcher = threading.Thread(target=_watch, args=(target, progress, done), name="growth", daemon=True)
    watcher.start()
    try:
        yield
    finally:
        done.set()
        watcher.join()


def _watch(target: Target, progress: Progress, done: threading.Event) -> None:
    seen: int | None = None
    while not done.wait(_EVERY_S):
        with suppress(HoldfastError):
            size = _database_bytes(target)
            # The first look only sets the mark: an empty database has several MiB of its own.
            if seen is not None and size > seen:
                progress.advance(size - seen)
            seen = size if seen is None else max(seen, size)


def _database_bytes(target: Target) -> int:
    with connect(target) as session, translated(target, "reading its size"):
        row = session.execute("SELECT pg_catalog.pg_database_size(pg_catalog.current_database())").fetchone()
    assert row is not None
    return int(row[0])

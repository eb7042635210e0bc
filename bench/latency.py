"""How long commits wait until a store holds them: who commits, and who watches the store."""

from __future__ import annotations

import bisect
import threading
import time
from collections.abc import Callable
from types import TracebackType
from typing import Self

import psycopg

from holdfast.values.lsn import Lsn

_LOOK_S = 0.05
_TABLE = "bench_commits"


class _Thread:
    """Repeats a step until its context is left, where its failure is raised."""

    def __init__(self) -> None:
        self._ended = threading.Event()
        self._failure: BaseException | None = None
        self._thread = threading.Thread(target=self._work, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        self._ended.set()
        self._thread.join()
        if kind is None and self._failure is not None:
            raise self._failure

    def _work(self) -> None:
        try:
            self._repeat()
        except BaseException as error:
            self._failure = error

    def _repeat(self) -> None:
        raise NotImplementedError


class Commits(_Thread):
    """Commits one row every ``every_s``; ``made``: when each commit returned, and a position not before its end."""

    def __init__(self, url: str, every_s: float) -> None:
        super().__init__()
        self.made: list[tuple[float, Lsn]] = []
        self._url, self._every_s = url, every_s

    def _repeat(self) -> None:
        with psycopg.connect(self._url, autocommit=True) as session:
            session.execute(f"CREATE TABLE IF NOT EXISTS {_TABLE} (n int)")
            while not self._ended.wait(self._every_s):
                session.execute(f"INSERT INTO {_TABLE} VALUES (1)")
                returned = time.monotonic()
                row = session.execute("SELECT pg_current_wal_flush_lsn()::text").fetchone()
                assert row is not None
                self.made.append((returned, Lsn.parse(row[0])))


class Watched(_Thread):
    """Notes when the store was seen to reach which position."""

    def __init__(self, reached: Callable[[], Lsn]) -> None:
        super().__init__()
        self._reached = reached
        self._seen: list[tuple[Lsn, float]] = []

    def waits(self, commits: list[tuple[float, Lsn]]) -> list[float]:
        """Seconds from each commit to the moment from which on the store holds it; all of them must be there."""
        positions = [lsn for lsn, _ in self._seen]
        return [self._seen[bisect.bisect_left(positions, lsn)][1] - at for at, lsn in commits]

    def _repeat(self) -> None:
        while not self._ended.wait(_LOOK_S):
            reached = self._reached()
            if not self._seen or reached > self._seen[-1][0]:
                self._seen.append((reached, time.monotonic()))


def percentile(samples: list[float], share: float) -> float:
    """The smallest sample that at least ``share`` of all do not exceed."""
    ordered = sorted(samples)
    return ordered[max(0, -(-len(ordered) * round(share * 100) // 100) - 1)]

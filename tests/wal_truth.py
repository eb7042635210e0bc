"""What is true of stored WAL: compared byte for byte with the server's own, and replayed by a real server."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg

from fix_postgres import rows
from fix_wal import STREAMED, Streamed, streamer_url
from holdfast.catalog import WalPiece
from holdfast.crypto import age
from holdfast.postgres.outer_zstd import decompressed
from holdfast.recovery.cluster import Cluster
from holdfast.values.lsn import Lsn
from holdfast.values.wal_names import WalSegment

# A streamer that says four times a second what is stored; the CLI does every minute.
_TALKING = """
import functools, sys, threading
from pathlib import Path
import holdfast.streaming.run as run
from holdfast.environment import open_environment
from holdfast.progress import Silent
from holdfast.values.airflow_conn import EnvironmentConnections
import os
run.Telling = functools.partial(run.Telling, every_s=0.2)
run._LOOK_S = 0.2
class Aloud(Silent):
    def end(self, outcome=""):
        print(outcome, flush=True)
from holdfast.streaming import stream_wal
stream_wal(
    open_environment(Path(sys.argv[1]), "production", EnvironmentConnections(os.environ)),
    spool=Path(sys.argv[2]), progress=Aloud(),
)
"""
_STORED = re.compile(r"stored up to ([0-9A-F]+/[0-9A-F]+)")


def plain(streamed: Streamed, piece: WalPiece) -> bytes:
    """A stored piece, decrypted and decompressed."""
    environment = streamed.site.environment()
    sealed = environment.store.stream(environment.wal_catalog.key(piece))
    return b"".join(decompressed(age.decrypt(sealed, environment.demand_identities())))


def stored_pieces(streamed: Streamed) -> list[WalPiece]:
    """Every piece that stands with its record."""
    return [piece for piece in streamed.site.environment().wal_catalog.pieces() if piece.is_stored]


def compare_with_server(streamed: Streamed, cluster: Cluster | None = None, *, seen: set[str] | None = None) -> None:
    """Each stored piece must be the server's own file, or its beginning; those ``seen`` before are left out."""
    data = (cluster or streamed.cluster).data
    for piece in stored_pieces(streamed):
        if seen is not None and piece.name in seen:
            continue
        own = (data / "pg_wal" / piece.file).read_bytes()
        assert plain(streamed, piece) == own[: piece.end], piece.name
        if seen is not None and piece.kind == "segment":
            seen.add(piece.name)


def stored_end(streamed: Streamed, timeline: int = 1, segment_bytes: int = 1 << 20) -> Lsn:
    """Up to where the segments of one timeline follow one another without a gap, from the first stored one on."""
    pieces = [piece for piece in stored_pieces(streamed) if piece.timeline == timeline and piece.kind != "history"]
    whole = {WalSegment.parse(piece.file, segment_bytes).number for piece in pieces if piece.kind == "segment"}
    opened = {
        WalSegment.parse(piece.file, segment_bytes).number: piece.end or 0
        for piece in sorted(pieces, key=lambda piece: piece.end or 0)
        if piece.kind == "partial"
    }
    if not whole and not opened:
        return Lsn(0)
    number = min([*whole, *opened])
    while number in whole:
        number += 1
    return Lsn(number * segment_bytes) + opened.get(number, 0)


class Talker:
    """A streamer in a process of its own, that can be killed."""

    def __init__(self, streamed: Streamed, spool: Path) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-c", _TALKING, str(streamed.site.policy_file), str(spool)],
            env=streamed.site.surroundings(),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        self._said: list[str] = []
        self._listener = threading.Thread(target=self._listen, daemon=True)
        self._listener.start()

    def stored_lsn(self) -> Lsn | None:
        """What it has last reported stored."""
        found = [_STORED.search(line) for line in self._said]
        told = [match[1] for match in found if match is not None]
        return Lsn.parse(told[-1]) if told else None

    def await_told(self, lsn: Lsn, timeout_s: float = 30) -> None:
        """Wait until it reports that everything up to there is stored."""
        deadline = time.monotonic() + timeout_s
        while (self.stored_lsn() or Lsn(0)) < lsn:
            assert self._process.poll() is None, (self._process.stderr or sys.stdin).read()
            assert time.monotonic() < deadline, self._said[-3:]
            time.sleep(0.05)

    def kill(self) -> None:
        """End it without any warning; an error of its own is none of ours."""
        failure = self._process.poll()
        self._process.kill()
        _, said = self._process.communicate()
        self._listener.join()
        assert failure is None, said.decode()[-3000:]

    def _listen(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            self._said.append(line.decode())


class Load:
    """Commits rows into ``table`` until the end; ``committed`` tells of each where its commit ends in the WAL."""

    def __init__(self, cluster: Cluster, table: str, pause_s: float = 0.005) -> None:
        self._url, self._table, self._pause = cluster.url(), table, pause_s
        self.committed: list[tuple[int, Lsn]] = []

    @contextmanager
    def running(self) -> Iterator[Load]:
        """Beside the body."""
        stop = threading.Event()
        worker = threading.Thread(target=self._work, args=(stop,))
        worker.start()
        try:
            yield self
        finally:
            stop.set()
            worker.join()

    def _work(self, stop: threading.Event) -> None:
        with psycopg.connect(self._url, autocommit=True) as session:
            session.execute(f"CREATE TABLE IF NOT EXISTS {self._table} (id int PRIMARY KEY, note text)")
            number = 0
            while not stop.wait(self._pause):
                number += 1
                size = 20_000 if number % 20 == 0 else 200
                session.execute(
                    f"INSERT INTO {self._table} SELECT %s, string_agg(md5(random()::text), '') "
                    "FROM generate_series(1, %s)",
                    [number, size // 32],
                )
                # Bytes up to here hold the commit: it is written by then.
                row = session.execute("SELECT pg_current_wal_insert_lsn()::text").fetchone()
                assert row is not None
                self.committed.append((number, Lsn.parse(row[0])))


def base_copy(cluster: Cluster, folder: Path) -> Path:
    """A copy of the running cluster's files, by pg_basebackup, that needs WAL to become consistent."""
    target = folder / "data"
    subprocess.run(
        [str(cluster.bin / "pg_basebackup"), "-D", target, "-X", "none", "-c", "fast", "-d", streamer_url(cluster)],
        check=True,
        capture_output=True,
    )
    return target


def replayed(streamed: Streamed, copy: Path, table: str) -> list[tuple[object, ...]]:
    """All rows of a table once a real server has replayed everything that is in the store."""
    wal = copy.parent / "wal"
    wal.mkdir(mode=0o755)
    copy.parent.chmod(0o755)
    segment_bytes = 1 << 20
    for piece in sorted(stored_pieces(streamed), key=lambda piece: (piece.file, piece.end or 1 << 40)):
        content = plain(streamed, piece)
        (wal / piece.file).write_bytes(content if piece.kind == "history" else content.ljust(segment_bytes, b"\0"))
    for path in wal.iterdir():
        path.chmod(0o644)
    (copy / "recovery.signal").touch()
    settings = STREAMED | {"restore_command": f"cp {wal}/%f %p", "hot_standby": "off"}
    server = Cluster(copy.parent, streamed.cluster.bin, config=settings)
    shutil.copy(streamed.cluster.folder / "password", copy.parent / "password")
    subprocess.run(["chown", "-R", "--reference", str(streamed.cluster.data), str(copy)], check=True)
    with server:
        return rows(server.url(), f"SELECT id, note FROM {table} ORDER BY id")

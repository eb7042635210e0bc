"""The server whose WAL is streamed: its positions, its slots, and the loads that make it write."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import psycopg

from bench.physical import physical_name
from bench.policy import STREAMED
from bench.session import Session
from bench.sources import REFERENCE, SETTINGS, ensure_reference
from bench.streams import SEGMENT_BYTES
from bench.tools import Tools
from holdfast.errors import PermanentError
from holdfast.postgres.conninfo import Target
from holdfast.postgres.wheel import wheel_folder
from holdfast.recovery.cluster import Cluster
from holdfast.values.lsn import Lsn
from holdfast.values.wal_names import WalSegment

SLOT = f"holdfast_bench_{STREAMED}"
_ORIGIN = "bench_origin"
_ROWS = 500
# A hundred transactions a second, each of half a megabyte of WAL and a little.
_BULK = f"""\
\\set first random(1, {20_000 - _ROWS})
INSERT INTO bench_bulk SELECT * FROM bench_rows WHERE id >= :first AND id < :first + {_ROWS};
"""
_TABLES = """
CREATE TABLE IF NOT EXISTS bench_commits (n int);
CREATE TABLE IF NOT EXISTS bench_rows (id int PRIMARY KEY, body text);
INSERT INTO bench_rows
    SELECT n, (SELECT string_agg(md5(random()::text || n || part), '') FROM generate_series(1, 30) AS part)
    FROM generate_series(1, 20000) AS n ON CONFLICT DO NOTHING;
CREATE TABLE IF NOT EXISTS bench_bulk (LIKE bench_rows);
"""


@dataclass(frozen=True, slots=True)
class Load:
    """What pgbench does beside a receiver, for so many seconds."""

    name: str
    options: tuple[str, ...]
    seconds: int
    script: str | None = None


PGBENCH = Load("pgbench", ("-c", "4"), 25)
BULK = Load("pgbench, bulk", ("-c", "2", "--rate", "105"), 20, _BULK)


@dataclass(frozen=True, slots=True)
class WalSource:
    """The reference on PostgreSQL 18; ``url`` leads to its database."""

    cluster: Cluster
    tools: Tools

    @property
    def url(self) -> str:
        return self.cluster.url(REFERENCE)

    def begin(self, load: Load) -> subprocess.Popen[bytes]:
        """Start it, always from the same: a checkpoint, behind which each page is logged whole once."""
        self.execute("TRUNCATE bench_bulk")
        self.execute("CHECKPOINT")
        argv = [str(self.cluster.bin / "pgbench"), "-n", *load.options, "-T", str(load.seconds)]
        if load.script is not None:
            file = self.tools.home / "load.sql"
            file.write_text(load.script)
            argv += ["-f", str(file)]
        return subprocess.Popen(
            ["setpriv", "--pdeathsig", "TERM", "--", *argv, REFERENCE],
            env=dict(self.tools.env),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )

    def flushed(self) -> Lsn:
        """How far its WAL stands."""
        return Lsn.parse(str(self.execute("SELECT pg_current_wal_flush_lsn()::text")))

    def new_segment(self) -> WalSegment:
        """Begin a segment, with our slot at its start, and write something into it."""
        self.execute("SELECT pg_switch_wal()")
        first = WalSegment.at(1, self.flushed(), SEGMENT_BYTES)
        self.execute("INSERT INTO bench_commits VALUES (0)")
        self.drop_slot(SLOT)
        self.execute(f"SELECT pg_create_physical_replication_slot('{SLOT}', true)")
        self._advance(first)  # a new slot stands at the last checkpoint
        return first

    def hold(self) -> None:
        """Keep all WAL from now on."""
        self.execute(f"SELECT pg_create_physical_replication_slot('{_ORIGIN}', true)")

    def held(self, most: int) -> tuple[WalSegment, Lsn]:
        """The newest of what is kept: the first segment, and an end that is that of a segment."""
        self.execute("SELECT pg_switch_wal()")
        self.execute("CHECKPOINT")
        written = WalSegment.at(1, self.flushed(), SEGMENT_BYTES)
        kept = self.execute(f"SELECT restart_lsn::text FROM pg_replication_slots WHERE slot_name = '{_ORIGIN}'")
        first = WalSegment.at(1, Lsn.parse(str(kept)), SEGMENT_BYTES).number
        return WalSegment(1, max(first, written.number - most), SEGMENT_BYTES), written.start

    def put_slot(self, first: WalSegment) -> None:
        """Our slot stands at the start of a segment that is kept."""
        self.drop_slot(SLOT)
        self.execute(f"SELECT pg_copy_physical_replication_slot('{_ORIGIN}', '{SLOT}')")
        self._advance(first)

    def _advance(self, first: WalSegment) -> None:
        self.execute(
            f"SELECT pg_replication_slot_advance('{SLOT}', greatest(restart_lsn, '{first.start}'))"
            f" FROM pg_replication_slots WHERE slot_name = '{SLOT}'"
        )

    def release(self) -> None:
        """Keep nothing any more."""
        self.drop_slot(_ORIGIN)
        self.execute("CHECKPOINT")

    def drop_slot(self, name: str) -> None:
        self.execute(f"SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots WHERE slot_name = '{name}'")

    def execute(self, query: str) -> object:
        """Run one statement; returns the first column of its first row."""
        with psycopg.connect(self.url, autocommit=True) as session:
            answer = session.execute(query.encode())
            row = answer.fetchone() if answer.description else None
            return row[0] if row else None


@contextmanager
def wal_source(session: Session) -> Iterator[WalSource]:
    """The server, with nobody else's slots: these would keep all WAL that is made here."""
    folder = session.place.root / physical_name(18)
    config = {**SETTINGS, "wal_keep_size": "1GB"}
    with session.watch.doing("starting PostgreSQL 18"):
        cluster = Cluster(folder, wheel_folder(), config=config, socket_dir=folder / "socket")
    with cluster:
        tools = Tools.of(cluster.bin, Target.parse(cluster.url()), session.place.files)
        ensure_reference(cluster, tools, session.scale, session.watch)
        source = WalSource(cluster, tools)
        for slot in _slots(source):
            source.drop_slot(slot)
        for statement in _TABLES.split(";"):
            source.execute(statement)
        try:
            yield source
        finally:
            for slot in _slots(source):
                source.drop_slot(slot)
            source.execute("TRUNCATE bench_bulk")


def _slots(source: WalSource) -> list[str]:
    with psycopg.connect(source.url) as session:
        rows = session.execute("SELECT slot_name, active FROM pg_replication_slots").fetchall()
    if any(active for _, active in rows):
        raise PermanentError(f"{source.cluster.folder}: somebody receives WAL from this server")
    return [str(name) for name, _ in rows]

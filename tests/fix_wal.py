"""Servers whose WAL can be streamed, with a role that may do so, and sites whose environment is streamed from them."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import psycopg
import pytest

from fix_environment import MakeSite, Site
from fix_postgres import DEBIAN_15, FAST, execute, rows
from holdfast.errors import PermanentError
from holdfast.postgres.wheel import wheel_folder
from holdfast.recovery.cluster import Cluster

if TYPE_CHECKING:
    from holdfast.streaming import StreamReport

ROLE, PASSWORD = "streamer", "only-for-streaming"
STREAMED = FAST | {
    "wal_level": "replica",
    "max_wal_senders": "20",
    "max_replication_slots": "20",
    "max_connections": "60",
    "wal_sender_timeout": "20s",
    "log_min_messages": "log",
}
# What docs/pitr.md tells the source's owner to do.
_ROLE = f"""
CREATE ROLE {ROLE} LOGIN REPLICATION PASSWORD '{PASSWORD}';
GRANT pg_monitor TO {ROLE};
GRANT EXECUTE ON FUNCTION pg_catalog.pg_switch_wal() TO {ROLE};
"""
_MARKER = f"GRANT SET ON PARAMETER holdfast.marker TO {ROLE}"

_numbers = itertools.count(1)


@contextmanager
def streamable(
    folder: Path,
    bin: Path | None = None,
    *,
    segment_mb: int = 16,
    config: Mapping[str, str] | None = None,
) -> Iterator[Cluster]:
    """A running cluster with the role ``streamer``; 18 of the wheel unless ``bin`` says otherwise."""
    cluster = Cluster(
        folder,
        bin or wheel_folder(),
        config=STREAMED | dict(config or {}),
        initdb_options=("--data-checksums", f"--wal-segsize={segment_mb}"),
    )
    with cluster:
        execute(cluster.url(), _ROLE)
        # Before 15 every role may.
        execute(cluster.url(), _MARKER)
        yield cluster


@pytest.fixture(scope="session")
def wal18(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """PostgreSQL 18, segments of 1 MiB; shared: neither restarted nor killed by tests."""
    with streamable(tmp_path_factory.mktemp("wal18"), segment_mb=1) as cluster:
        yield cluster


@pytest.fixture(scope="session")
def wal15(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """PostgreSQL 15 of Debian, segments of 16 MiB; shared: neither restarted nor killed by tests."""
    if not (DEBIAN_15 / "postgres").exists():
        raise PermanentError(f"{DEBIAN_15}: no server; install postgresql-15")
    with streamable(tmp_path_factory.mktemp("wal15"), DEBIAN_15) as cluster:
        yield cluster


def streamer_url(cluster: Cluster, database: str = "postgres") -> str:
    """The address with which its WAL is streamed."""
    return cluster.url(database, ROLE, PASSWORD)


@dataclass(frozen=True)
class Streamed:
    """A site whose environment ``production`` has ``pitr: streaming`` from ``cluster``, by the slot ``slot``."""

    cluster: Cluster
    site: Site
    slot: str

    def sql(self, text: str, database: str = "postgres") -> list[tuple[object, ...]]:
        """Rows of one query of the superuser."""
        return rows(self.cluster.url(database), text)

    def execute(self, text: str, database: str = "postgres") -> None:
        """Run statements as the superuser."""
        execute(self.cluster.url(database), text)

    def write(self, count: int = 100, table: str = "notes") -> None:
        """Commit ``count`` more rows in a table (id bigserial, note text), about 100 bytes of WAL and more each."""
        self.execute(
            f"CREATE TABLE IF NOT EXISTS {table} (id bigserial PRIMARY KEY, note text);"
            f"INSERT INTO {table} (note) SELECT md5(random()::text) FROM generate_series(1, {count})"
        )

    def switch(self) -> str:
        """Close the open segment; returns its name."""
        return str(self.sql("SELECT pg_walfile_name(pg_switch_wal())")[0][0])

    def insert_lsn(self) -> str:
        """Where the server's WAL ends."""
        return str(self.sql("SELECT pg_current_wal_insert_lsn()")[0][0])

    def slots(self) -> list[tuple[object, ...]]:
        """(restart_lsn, wal_status) of its slot, if it stands."""
        return self.sql(f"SELECT restart_lsn::text, wal_status FROM pg_replication_slots WHERE slot_name='{self.slot}'")

    def segments(self) -> list[str]:
        """The names of the segments in the store."""
        pieces = self.site.environment().wal_catalog.pieces()
        return [piece.name for piece in pieces if piece.kind == "segment" and piece.is_stored]

    def stream(self, seconds: float = 2.0, spool: Path | None = None) -> StreamReport:
        """Stream for that long, in this process."""
        from holdfast.streaming import stream_wal

        return stream_wal(self.site.environment(), seconds=seconds, spool=spool)

    @contextmanager
    def streaming(self, spool: Path | None = None) -> Iterator[Future[StreamReport]]:
        """Stream beside the body; ended and awaited at its end, errors raised there."""
        from holdfast.streaming import stream_wal

        stop = threading.Event()
        with ThreadPoolExecutor(1) as beside:
            running = beside.submit(stream_wal, self.site.environment(), spool=spool, stop=stop)
            try:
                yield running
            except BaseException as error:
                stop.set()
                error.add_note(f"the stream: {running.exception(timeout=60)!r}")
                raise
            finally:
                stop.set()
            running.result(timeout=60)


MakeStreamed = Callable[..., Streamed]


@pytest.fixture
def make_streamed(make_site: MakeSite) -> Iterator[MakeStreamed]:
    """Makes a site streamed from ``cluster``; keywords of ``wal`` are the policy's, of ``site`` those of make_site.

    ``tiers`` is more text below the policy's tiers, such as ``pitr_check: {keep: 90d}``.
    """
    made: list[Streamed] = []

    def make(
        cluster: Cluster,
        *,
        wal: Mapping[str, str] | None = None,
        tiers: str = "",
        site: Mapping[str, str] | None = None,
    ) -> Streamed:
        built = make_site(streamer_url(cluster), **dict(site or {}))
        slot = f"holdfast_test_{next(_numbers)}"
        section = {"slot": slot, "ship_every": "1s", "mark_every": "1s"} | dict(wal or {})
        built.edit_policy("{conn_id: shop_db}", "{conn_id: shop_db, pitr: streaming}")
        lines = ["wal: {schedule: continuous, keep: 7d}", "base_backup: {keep: 14d}", *filter(None, tiers.split("\n"))]
        built.edit_policy("    tiers:\n", "    tiers:\n" + "".join(f"      {line}\n" for line in lines))
        written = ", ".join(f"{name}: {value}" for name, value in section.items())
        built.edit_policy("    tiers:\n", f"    wal: {{{written}}}\n    tiers:\n")
        made.append(Streamed(cluster, built, slot))
        return made[-1]

    yield make
    for streamed in made:
        if streamed.cluster.is_running():
            drop_slot(streamed.cluster.url(), streamed.slot)


def drop_slot(url: str, name: str) -> None:
    """Drop the slot where it stands."""
    with psycopg.connect(url, autocommit=True) as session:
        session.execute(
            "SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots WHERE slot_name = %s", [name]
        )

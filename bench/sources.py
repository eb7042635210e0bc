"""The databases that are backed up: made once on a PostgreSQL server of the bench's own, and used again."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType

import psycopg
from psycopg import sql

from bench.running import run
from bench.scale import BLOB_BYTES, Scale
from bench.tools import Tools
from bench.watch import Watch
from holdfast.recovery.cluster import Cluster

REFERENCE = "reference"
BLOBS = "blobs"

SETTINGS: Mapping[str, str] = MappingProxyType(
    {
        "shared_buffers": "512MB",
        "max_wal_size": "4GB",
        "checkpoint_timeout": "30min",
        "fsync": "on",
        "synchronous_commit": "on",
        "full_page_writes": "on",
        # The tables are vacuumed once, when they are made; later it would fall on some runs and not on others.
        "autovacuum": "off",
    }
)

# Events as a web application collects them: a few words that repeat, and keys that no compression makes smaller.
_EVENTS = """
    CREATE TABLE events (
        id bigint PRIMARY KEY, user_id integer NOT NULL, happened_at timestamptz NOT NULL, payload jsonb NOT NULL
    );
    INSERT INTO events
    SELECT n, n * 7919 % 50000, timestamptz '2026-01-01 00:00:00+00' + n * interval '7 seconds', jsonb_build_object(
        'message', md5('message' || n),
        'session', md5('session' || n / 4),
        'visitor', md5('visitor' || n * 7919 % 50000),
        'kind', (ARRAY['view', 'click', 'play', 'pause', 'submit', 'purchase'])[(1 + n % 6)::int],
        'lesson', abs(hashint8(n)) % 4000
    )
    FROM generate_series(1::bigint, {}) AS n
"""


def ensure_sources(cluster: Cluster, tools: Tools, scale: Scale, watch: Watch) -> None:
    """Make the databases that are missing."""
    _ensure(cluster, tools, scale, watch, {REFERENCE: _build_reference, BLOBS: _build_blobs})


def ensure_reference(cluster: Cluster, tools: Tools, scale: Scale, watch: Watch) -> None:
    """Make the reference alone, if it is missing."""
    _ensure(cluster, tools, scale, watch, {REFERENCE: _build_reference})


def _ensure(
    cluster: Cluster,
    tools: Tools,
    scale: Scale,
    watch: Watch,
    builders: Mapping[str, Callable[[str, Scale, Tools], None]],
) -> None:
    """One under its own name is complete: it is built under another."""
    with psycopg.connect(cluster.url(), autocommit=True) as session:
        standing = {name for (name,) in session.execute("SELECT datname FROM pg_database")}
        for name, build in builders.items():
            if name in standing:
                continue
            draft = f"{name}_draft"
            with watch.doing(f"making the database {name}, once"):
                tools.drop(draft)
                url = cluster.create_database(draft)
                build(url, scale, tools)
                with psycopg.connect(url, autocommit=True) as inner:
                    inner.execute("VACUUM (ANALYZE)")
            session.execute(
                sql.SQL("ALTER DATABASE {} RENAME TO {}").format(sql.Identifier(draft), sql.Identifier(name))
            )
        session.execute("CHECKPOINT")


def size_bytes(cluster: Cluster, database: str) -> int:
    """The size of a database on disk."""
    with psycopg.connect(cluster.url()) as session:
        row = session.execute("SELECT pg_database_size(%s)", [database]).fetchone()
    assert row is not None
    return int(row[0])


def _build_reference(url: str, scale: Scale, tools: Tools) -> None:
    database = psycopg.conninfo.conninfo_to_dict(url)["dbname"]
    pgbench: Path = tools.bin / "pgbench"
    run([pgbench, "--initialize", "--quiet", f"--scale={scale.pgbench_scale}", str(database)], tools.env)
    with psycopg.connect(url) as session:
        session.execute(sql.SQL(_EVENTS).format(sql.Literal(scale.events)))


def _build_blobs(url: str, scale: Scale, tools: Tools) -> None:
    """Rows that no compression makes smaller: the stored dump is as large as the table."""
    chance = random.Random(1)
    with psycopg.connect(url) as session:
        session.execute("CREATE TABLE blobs (id bigint PRIMARY KEY, body bytea NOT NULL)")
        session.execute("ALTER TABLE blobs ALTER body SET STORAGE EXTERNAL")
        with session.cursor().copy("COPY blobs FROM STDIN WITH (FORMAT binary)") as copy:
            copy.set_types(["int8", "bytea"])
            for number in range(scale.blobs):
                copy.write_row((number, chance.randbytes(BLOB_BYTES)))

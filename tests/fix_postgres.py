"""Real PostgreSQL servers for tests: the wheel's 18 and Debian's 15, one cluster of each per session."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest

from holdfast.errors import PermanentError
from holdfast.postgres.wheel import wheel_folder
from holdfast.recovery.cluster import Cluster

# Tests lose nothing in a crash. Thousands of tables are dumped at once, which takes a lock for each.
FAST = {
    "fsync": "off",
    "synchronous_commit": "off",
    "full_page_writes": "off",
    "shared_buffers": "32MB",
    "max_connections": "60",
    "max_prepared_transactions": "4",
    "max_locks_per_transaction": "256",
    "log_min_messages": "error",
}

DEBIAN_15 = Path("/usr/lib/postgresql/15/bin")

_numbers = itertools.count(1)


@pytest.fixture(scope="session")
def pg18(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """PostgreSQL 18 of the wheel."""
    with Cluster(tmp_path_factory.mktemp("pg18"), wheel_folder(), config=FAST) as cluster:
        yield cluster


@pytest.fixture(scope="session")
def pg15(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """PostgreSQL 15 of Debian 12: older, without zstd in pg_dump, with ICU."""
    if not (DEBIAN_15 / "postgres").exists():
        raise PermanentError(f"{DEBIAN_15}: no server; install postgresql-15")
    with Cluster(tmp_path_factory.mktemp("pg15"), DEBIAN_15, config=FAST) as cluster:
        yield cluster


@pytest.fixture
def make_database(pg18: Cluster, pg15: Cluster) -> Iterator[Callable[..., str]]:
    """Makes databases on 18 or 15, filled by SQL, and drops them after the test."""
    made: list[tuple[Cluster, str]] = []

    def make(sql: str = "", *, name: str | None = None, cluster: Cluster = pg18) -> str:
        unique = name or f"test_{next(_numbers)}"
        made.append((cluster, unique))
        url = cluster.create_database(unique)
        if sql:
            execute(url, sql)
        return url

    yield make
    for cluster, name in made:
        quoted = name.replace('"', '""')
        execute(cluster.url(), f'DROP DATABASE IF EXISTS "{quoted}" WITH (FORCE)')


@pytest.fixture
def database(make_database: Callable[..., str]) -> str:
    """URL of a fresh, empty database on 18."""
    return make_database()


def execute(url: str, sql: str) -> None:
    """Run SQL statements as they are, outside of a transaction where one statement needs that."""
    with psycopg.connect(url, autocommit=True) as session:
        session.execute(sql.encode())


def rows(url: str, sql: str) -> list[tuple[object, ...]]:
    """All rows of one query."""
    with psycopg.connect(url, autocommit=True) as session:
        return session.execute(sql.encode()).fetchall()

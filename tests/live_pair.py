"""A live database and one beside it, each with a table that says which it is, and all that it takes to switch them."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import psycopg
from psycopg import sql

from fix_postgres import execute, rows
from holdfast.postgres.conninfo import Target
from holdfast.postgres.databases import DatabaseIdentity, identify
from holdfast.postgres.marker import Marker
from holdfast.postgres.session import Session
from holdfast.postgres.switching import Switched, kept_name, switch
from holdfast.recovery.cluster import Cluster

NOW = datetime(2026, 11, 22, 9, 0, tzinfo=UTC)
POINT = "20261122T020000Z-nightly-4f9c2a"
OPERATION = "20261122T090000Z-restore-0a1b2c"

_numbers = itertools.count(1)


def marker(live: str, operation: str = OPERATION) -> str:
    """What an operation writes into the comment of its databases."""
    return str(
        Marker(
            state="beside",
            app="shop",
            environment="production",
            operation=operation,
            restore_point=POINT,
            live=live,
            keep_until=NOW + timedelta(days=7),
        )
    )


@dataclass(frozen=True)
class Pair:
    """The names of the live database and of the one beside it."""

    cluster: Cluster
    name: str
    beside_name: str
    user: str | None = None

    @property
    def server(self) -> Target:
        """The live database, as an operation's connection names it."""
        url = self.cluster.url(self.name, user=self.user, password="secret" if self.user else None)
        return Target.parse(url)

    @property
    def keep_as(self) -> str:
        """What the live database shall be called afterwards."""
        return kept_name(self.name, POINT, ())

    def identity(self, name: str) -> DatabaseIdentity:
        """Which database stands under the name."""
        found = identify(self.server.with_database(name))
        assert found is not None, name
        return found

    def switch(self, *, end_sessions_s: float = 20.0, **changed: DatabaseIdentity) -> Switched:
        """Switch them, unless ``changed`` names others."""
        return switch(
            self.server,
            live=changed.get("live") or self.identity(self.name),
            beside=changed.get("beside") or self.identity(self.beside_name),
            keep_as=self.keep_as,
            end_sessions_s=end_sessions_s,
            marker=marker(self.name),
            now=NOW,
        )

    def says(self, name: str) -> str:
        """Which of both it is that has the name now."""
        return str(rows(self.cluster.url(name), "SELECT which FROM this")[0][0])

    @contextmanager
    def connect(self, name: str | None = None, **more: str) -> Iterator[Session]:
        """Somebody's session, which others may end."""
        url = self.cluster.url(name or self.name)
        with closing(psycopg.connect(url, autocommit=True, **more)) as session:  # type: ignore[arg-type]
            yield session

    def run(self, statement: str, *names: str) -> None:
        """A statement in the maintenance database; {} are names."""
        with psycopg.connect(self.cluster.url(), autocommit=True) as session:
            session.execute(sql.SQL(statement).format(*map(sql.Identifier, names)))  # type: ignore[arg-type]


@contextmanager
def make_pair(cluster: Cluster, name: str | None = None, *, user: str | None = None) -> Iterator[Pair]:
    """Two databases; whatever they are called afterwards, they and no others are dropped."""
    number = next(_numbers)
    live = name or f"live_{number}"
    pair = Pair(cluster, live, f"beside_{number}", user)
    before = _databases(cluster)
    try:
        for each, which in ((live, "old"), (pair.beside_name, "new")):
            if user:
                pair.run("CREATE DATABASE {} OWNER {}", each, user)
            else:
                cluster.create_database(each)
            execute(cluster.url(each), f"CREATE TABLE this (which text); INSERT INTO this VALUES ('{which}')")
        yield pair
    finally:
        for left in sorted(_databases(cluster) - before):
            pair.run("ALTER DATABASE {} IS_TEMPLATE false", left)
            pair.run("DROP DATABASE {} WITH (FORCE)", left)


def _databases(cluster: Cluster) -> set[str]:
    return {str(name) for (name,) in rows(cluster.url(), "SELECT datname::text FROM pg_database")}

"""The cluster that a base backup is taken of: its facts, and everything that would stop it, found before it starts."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from holdfast.backup.base.replication import demand_replication
from holdfast.errors import DatabaseError
from holdfast.postgres.conninfo import Target
from holdfast.postgres.session import Session, translated
from holdfast.wal.server import WalSource, read_source

OLDEST_MAJOR = 13
"""The first whose base backups hold a manifest of their files."""
_SUMMARIES_MAJOR = 17
_SETTINGS = (
    "max_connections",
    "max_worker_processes",
    "max_wal_senders",
    "max_prepared_transactions",
    "max_locks_per_transaction",
)
_FACTS = """
SELECT pg_catalog.current_setting('server_version'),
       pg_catalog.current_setting('wal_level'),
       pg_catalog.current_setting('data_checksums') = 'on',
       (SELECT r.rolname FROM pg_catalog.pg_roles r WHERE r.oid = 10),
       COALESCE(pg_catalog.current_setting('summarize_wal', true), 'off') = 'on',
       pg_catalog.clock_timestamp()
"""
_SETTING_VALUES = """
SELECT s.name, s.setting::int FROM pg_catalog.pg_settings s WHERE s.name = ANY (%s) ORDER BY s.name
"""
_TABLESPACES = """
SELECT t.spcname FROM pg_catalog.pg_tablespace t
 WHERE t.spcname NOT IN ('pg_default', 'pg_global') ORDER BY t.spcname COLLATE "C"
"""


@dataclass(frozen=True, slots=True)
class BaseSource:
    """A server as it stood ``at`` the beginning, by its own clock; ``settings``: see BaseBackupManifest.

    ``size_bytes`` is about what its files have together.
    """

    cluster: WalSource
    version: str
    has_checksums: bool
    superuser: str
    settings: dict[str, int]
    summarizes_wal: bool
    size_bytes: int
    at: datetime

    @property
    def major(self) -> int:
        """Its major version."""
        return self.cluster.server_version_num // 10_000

    @property
    def takes_incrementals(self) -> bool:
        """Does it keep what an incremental base backup needs?"""
        return self.major >= _SUMMARIES_MAJOR and self.summarizes_wal


def read_base_source(session: Session, target: Target) -> BaseSource:
    """The facts of the server that ``session`` is with, once everything is as a base backup needs it.

    Raises UsageError or DatabaseError, before anything is read of the cluster, for a server that is too old, has
    tablespaces or too low a wal_level, or lets the role start no WAL sender.
    """
    where = target.describe()
    _demand_version(where, session)
    cluster = read_source(session)
    with translated(target, "asking for what a base backup needs"):
        row = session.execute(_FACTS).fetchone()
        assert row is not None
        version, wal_level, has_checksums, superuser, summarizes, at = row
        settings: dict[str, int] = dict(session.execute(_SETTING_VALUES, [list(_SETTINGS)]).fetchall())
        tablespaces = [name for (name,) in session.execute(_TABLESPACES)]
    _demand_one_tablespace(where, tablespaces)
    _demand_settings(where, wal_level, settings)
    demand_replication(target)
    return BaseSource(
        cluster,
        version.partition(" ")[0],
        has_checksums,
        superuser,
        settings,
        summarizes,
        _size_bytes(session, target),
        at,
    )


def _demand_version(where: str, session: Session) -> None:
    number = session.info.server_version
    if number < OLDEST_MAJOR * 10_000:
        raise DatabaseError(
            f"{where}: no base backup of PostgreSQL {number // 10_000}: "
            f"before {OLDEST_MAJOR} it makes no list of the files in it",
            hint=f"Upgrade the server to {OLDEST_MAJOR} or later, or set `pitr: none` and rely on dumps.",
        )


def _demand_one_tablespace(where: str, others: list[str]) -> None:
    if others:
        raise DatabaseError(
            f"{where}: no base backup of a cluster with tablespaces of its own ({', '.join(others)}): "
            "pg_basebackup writes a single one to a stream",
            hint="Move what is in them to pg_default and drop them, or set `pitr: none` and rely on dumps.",
        )


def _demand_settings(where: str, wal_level: str, settings: dict[str, int]) -> None:
    if wal_level == "minimal":
        raise DatabaseError(
            f"{where}: wal_level is minimal, so that no base backup can be taken",
            hint="ALTER SYSTEM SET wal_level = 'replica', then restart the server.",
        )
    if settings["max_wal_senders"] == 0:
        raise DatabaseError(
            f"{where}: max_wal_senders is 0, so that no base backup can be taken",
            hint="ALTER SYSTEM SET max_wal_senders = 10, then restart the server.",
        )


def _size_bytes(session: Session, target: Target) -> int:
    """Of the only tablespace, which everybody may ask for whose database lies in it."""
    with translated(target, "asking for the cluster's size"):
        row = session.execute("SELECT pg_catalog.pg_tablespace_size('pg_default')").fetchone()
    assert row is not None
    return int(row[0])

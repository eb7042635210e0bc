"""Doctor's look at what continuous WAL and base backups need of the server, and of this host."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Literal

from holdfast.doctor import slot, stored_wal
from holdfast.environment import Environment
from holdfast.errors import DatabaseUnavailable, HoldfastError
from holdfast.postgres.binaries import client_for
from holdfast.postgres.conninfo import Target
from holdfast.postgres.session import Session, connect, translated
from holdfast.values import figures
from holdfast.values.check import Check, attempt
from holdfast.wal.replication import read_history

_PROGRAMS = ("pg_receivewal", "pg_basebackup", "pg_combinebackup", "pg_verifybackup")
_NEEDED = _PROGRAMS[:2]
_SENDERS_NEEDED = 2
_SUMMARIES_MAJOR = 17
_SETTINGS = """
SELECT pg_catalog.current_setting('wal_level'), pg_catalog.current_setting('max_wal_senders')::int,
       (SELECT count(*)::int FROM pg_catalog.pg_stat_replication),
       COALESCE(pg_catalog.current_setting('summarize_wal', true), ''), pg_catalog.current_setting('archive_mode')
"""
_ROLE = "SELECT rolreplication OR rolsuper FROM pg_catalog.pg_roles WHERE rolname = current_user"
_ARCHIVER = """
SELECT failed_count, last_failed_wal, last_failed_time > COALESCE(last_archived_time, '-infinity')
FROM pg_catalog.pg_stat_archiver
"""
_TABLESPACES = """
SELECT spcname FROM pg_catalog.pg_tablespace WHERE spcname NOT IN ('pg_default', 'pg_global') ORDER BY spcname
"""
_LOCAL = ("127.0.0.1", "::1", "localhost")


def unstreamed(environment: Environment) -> str:
    """What the policy says where nothing is streamed."""
    if environment.policy.database.pitr == "provider":
        return "the provider's: nothing is streamed here, and `holdfast recover` has nothing to recover from"
    return "none: between two backups nothing can be recovered"


def checks(environment: Environment) -> list[Check]:
    """Everything that streaming and base backups need; the database answers, as has been seen."""
    target = Target.from_connection(environment.database())
    try:
        with connect(target) as session:
            examined = _Server(environment, target, session)
            return [attempt(name, look) for name, look in examined.looks()]
    except HoldfastError as error:
        return [Check("WAL", "failed", error.message, error.hint)]


class _Server:
    def __init__(self, environment: Environment, target: Target, session: Session) -> None:
        self._environment = environment
        self._target = target
        self._session = session

    def looks(self) -> list[tuple[str, Callable[[], Check | str]]]:
        return [
            ("WAL settings", self.settings),
            ("replication", self.replication),
            ("WAL programs", self.programs),
            ("tablespaces", self.tablespaces),
            ("incremental base backups", self.incrementals),
            ("WAL archiving", self.archiving),
            ("holding slot", lambda: slot.look(self._environment, self._session)),
            ("WAL on the server", self.server_wal),
            ("stored WAL", lambda: stored_wal.look(self._environment, self._session)),
        ]

    def settings(self) -> Check | str:
        """Whether the server writes enough into its WAL, and lets somebody fetch it."""
        level, most, used, _, _ = self._row(_SETTINGS)
        if level == "minimal":
            hint = "ALTER SYSTEM SET wal_level = 'replica', then restart the server."
            return Check(
                "WAL settings", "failed", "wal_level is minimal: no server can be recovered from its WAL", hint
            )
        text = f"wal_level {level}, {used} of {most} WAL senders in use"
        if int(str(most)) - int(str(used)) < _SENDERS_NEEDED:
            hint = f"Streaming and a base backup take {_SENDERS_NEEDED}: raise max_wal_senders, and restart the server."
            return Check("WAL settings", "failed" if most == 0 else "warning", text, hint)
        return text

    def replication(self) -> Check | str:
        """Whether the role may replicate, and the server lets it log in to do so; it is really tried."""
        role = self._target.user or self._session.info.user
        (may,) = self._row(_ROLE)
        if not may:
            hint = f'Run `ALTER ROLE "{role}" REPLICATION` as a superuser; else set `pitr: provider`.'
            return Check("replication", "failed", f"the role {role} has no right to replicate", hint)
        try:
            read_history(self._target, 1)
        except HoldfastError as error:
            hint = (
                f"pg_hba.conf needs a line like `host replication {role} ADDRESS/32 scram-sha-256`: `all` among its "
                "databases does not cover replication. A pooler does not either: name the server itself."
            )
            return Check("replication", "failed", error.message, hint)
        return f"the role {role} may, and can log in for it"

    def programs(self) -> Check | str:
        """Whether the client programs of the server's version that receive WAL and base backups are here."""
        client = client_for(self._session.info.server_version // 10_000)
        missing = [name for name in _PROGRAMS if shutil.which(client.tool(name)) is None]
        if client.major < _SUMMARIES_MAJOR and "pg_combinebackup" in missing:
            missing.remove("pg_combinebackup")
        if not missing:
            return f"of PostgreSQL {client.major} in {client.folder}"
        verdict: Literal["failed", "warning"] = "failed" if set(missing) & set(_NEEDED) else "warning"
        hint = "Install the rest of this PostgreSQL version: servers' packages hold what clients' ones lack."
        return Check("WAL programs", verdict, f"{client.folder} lacks {', '.join(missing)}", hint)

    def tablespaces(self) -> Check | str:
        """Whether the cluster can be streamed as one tar."""
        with translated(self._target, "asking for tablespaces"):
            names = [str(name) for (name,) in self._session.execute(_TABLESPACES)]
        if not names:
            return "none besides pg_default"
        hint = "Move what is in them to pg_default and drop them, or set `pitr: none` and rely on dumps."
        return Check("tablespaces", "failed", f"base backups are refused: the cluster has {', '.join(names)}", hint)

    def incrementals(self) -> str:
        """Whether base backups can be incremental."""
        (*_, summaries, _) = self._row(_SETTINGS)
        if summaries == "on":
            return "summarize_wal is on"
        if self._session.info.server_version < _SUMMARIES_MAJOR * 10_000:
            return f"full ones only, before PostgreSQL {_SUMMARIES_MAJOR}"
        return "full ones only; with `ALTER SYSTEM SET summarize_wal = on` and a reload, those between them are small"

    def archiving(self) -> Check | str:
        """Whether the server also archives by itself, and whether that fails: then it keeps its WAL for ever."""
        (*_, mode) = self._row(_SETTINGS)
        if mode == "off":
            return "archive_mode is off: WAL leaves the server by streaming alone"
        failed, name, is_failing = self._row(_ARCHIVER)
        if is_failing:
            text = f"archive_mode is {mode}, and archiving {name} fails ({failed} times)"
            return Check(
                "WAL archiving", "warning", text, "WAL stays on the server's disk until archive_command works."
            )
        return f"archive_mode is {mode} as well: what it archives is not looked at"

    def server_wal(self) -> Check | str:
        """How much WAL lies on the server, and, on this host, how much room is left there."""
        try:
            with translated(self._target, "listing the server's WAL"):
                count, size = self._row(
                    "SELECT count(*)::int, COALESCE(sum(size), 0)::bigint FROM pg_catalog.pg_ls_waldir()"
                )
        except DatabaseUnavailable:
            raise
        except HoldfastError:
            return f"not to be seen: the role {self._session.info.user} is no member of pg_monitor"
        text = f"{figures.size(int(str(size)))} in {count} files"
        free = self._free_bytes()
        if free is None:
            return text
        text, page = f"{text}, {figures.size(free)} free on its disk", self._environment.policy.wal.retained_page
        if free < page:
            hint = "The server stops when this disk is full, and the slot may take that much: make room."
            return Check(
                "WAL on the server", "warning", f"{text}, less than wal.retained_page ({figures.size(page)})", hint
            )
        return text

    def _row(self, query: str) -> tuple[object, ...]:
        with translated(self._target, "asking how the server treats its WAL"):
            row = self._session.execute(query.encode()).fetchone()
        assert row is not None
        return row

    def _free_bytes(self) -> int | None:
        """Only where the server runs here, and may be looked at."""
        host = self._session.info.host
        if not host.startswith("/") and host not in _LOCAL:
            return None
        (folder,) = self._row("SELECT pg_catalog.current_setting('data_directory', true)")
        try:
            place = Path(str(folder)) / "pg_wal"
            return shutil.disk_usage(place).free if place.is_dir() else None
        except OSError:
            return None

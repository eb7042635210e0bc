"""How the recovering server is configured: by a file of ours, and by nothing that the source's files say."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from holdfast.errors import RestoreError
from holdfast.pitr.destination import WORK, Destination
from holdfast.pitr.fetch_script import restore_command
from holdfast.pitr.planning import RecoveryPlan
from holdfast.pitr.programs import Programs

WAL_FOLDER = f"{WORK}/wal"
_AUTO = "postgresql.auto.conf"
# What a server must have at least as large as the one whose WAL it replays, by pg_controldata's words.
_LIMITS = {
    "max_connections": "max_connections setting",
    "max_worker_processes": "max_worker_processes setting",
    "max_wal_senders": "max_wal_senders setting",
    "max_prepared_transactions": "max_prepared_xacts setting",
    "max_locks_per_transaction": "max_locks_per_xact setting",
}
_MB = 1 << 20
_WAL_MB = 1024


@dataclass(frozen=True, slots=True)
class Configuration:
    """The files of the server in the work folder; ``limits`` are at least the source's."""

    destination: Destination
    programs: Programs
    plan: RecoveryPlan
    socket: Path
    limits: Mapping[str, int]
    commit_timestamps: bool
    preload: str

    @property
    def file(self) -> Path:
        """The server's config_file."""
        return self.destination.work / "postgresql.conf"

    def write(self, target: Mapping[str, str], *, action: str) -> None:
        """Write all of them. ``target``: the settings of the recovery target; ``action``: what is done once there."""
        account, work = self.destination.account, self.destination.work
        account.write_secret(work / "pg_hba.conf", "local all all trust\n")
        account.write_secret(work / "pg_ident.conf", "")
        settings = self._settings() | {
            "hba_file": str(work / "pg_hba.conf"),
            "ident_file": str(work / "pg_ident.conf"),
            "restore_command": restore_command(WAL_FOLDER),
            "recovery_target_timeline": str(self.plan.timeline),
            "recovery_target_action": action,
            **target,
        }
        account.write_secret(self.file, "".join(f"{name} = {quoted(value)}\n" for name, value in settings.items()))

    def _settings(self) -> dict[str, str]:
        """A crash of the machine means to begin anew, so nothing is synchronised before the end."""
        segment_mb = self.plan.base.segment_bytes // _MB
        return {
            "listen_addresses": "",
            "port": "5432",
            "unix_socket_directories": str(self.socket),
            "unix_socket_permissions": "0700",
            "logging_collector": "off",
            "log_destination": "stderr",
            "log_min_messages": "warning",
            "log_min_error_statement": "panic",
            "lc_messages": "C",
            "ssl": "off",
            "archive_mode": "off",
            "hot_standby": "on",
            "wal_level": "replica",
            "fsync": "off",
            "full_page_writes": "off",
            "autovacuum": "off",
            "jit": "off",
            "max_standby_archive_delay": "0",  # nobody's query holds the replay up
            "shared_buffers": f"{_shared_buffers_mb()}MB",
            "max_wal_size": f"{max(_WAL_MB, 4 * segment_mb)}MB",
            "min_wal_size": f"{max(80, 2 * segment_mb)}MB",
            "checkpoint_timeout": "15min",
            "track_commit_timestamp": "on" if self.commit_timestamps else "off",
            "shared_preload_libraries": self.preload,
            # Its jobs are for the live cluster to run.
            "cron.launch_active_jobs": "off",
            **({"event_triggers": "off"} if self.programs.major >= 17 else {}),
            **{name: str(value) for name, value in self.limits.items()},
        }


def configuration_for(
    destination: Destination, programs: Programs, plan: RecoveryPlan, socket: Path
) -> tuple[Configuration, tuple[str, ...]]:
    """Made from the control file and the manifest; with notes for people. Raises RestoreError."""
    told = control_data(destination, programs)
    limits = {name: max(plan.base.settings.get(name, 0), int(told.get(words, "0"))) for name, words in _LIMITS.items()}
    # Those of ours and of whoever looks at a paused server.
    limits["max_connections"] = max(limits["max_connections"], 20)
    preload, notes = preloadable(destination, programs)
    commit_timestamps = told.get("track_commit_timestamp setting") == "on"
    return Configuration(destination, programs, plan, socket, limits, commit_timestamps, preload), notes


def control_data(destination: Destination, programs: Programs) -> dict[str, str]:
    """What pg_controldata tells, by its own words. Raises RestoreError where it cannot."""
    ran = programs.run(destination, "pg_controldata", str(destination.path))
    if ran.status:
        raise RestoreError(f"data directory {destination.path}: pg_controldata: {ran.stderr.strip()}")
    lines = (line.partition(":") for line in ran.stdout.decode(errors="replace").splitlines())
    return {name.strip(): value.strip() for name, _, value in lines}


def told_setting(destination: Destination, programs: Programs, name: str) -> str | None:
    """What the data directory's own configuration says of a setting; None where it has none that can be read."""
    if not (destination.path / "postgresql.conf").is_file():
        return None
    ran = programs.run(destination, "postgres", "-D", str(destination.path), "-C", name)
    return ran.stdout.decode(errors="replace").strip() if ran.status == 0 else None


def set_aside(destination: Destination) -> None:
    """What ALTER SYSTEM wrote at the source would outrank our file."""
    auto = destination.path / _AUTO
    if auto.exists():
        auto.rename(destination.work / _AUTO)


def put_back(destination: Destination) -> None:
    """The source's own again."""
    kept = destination.work / _AUTO
    if kept.exists():
        kept.rename(destination.path / _AUTO)


def quoted(value: str) -> str:
    """As the server's configuration file wants it."""
    return "'" + value.replace("\\", "\\\\").replace("'", "''").replace("\n", "\\n") + "'"


def preloadable(destination: Destination, programs: Programs) -> tuple[str, tuple[str, ...]]:
    """What of shared_preload_libraries a server here can have, and notes of what it cannot.

    Libraries may bring kinds of WAL of their own; those that are not installed here are left out, with a note."""
    wanted = [name.strip().strip('"') for name in (told_setting(destination, programs, _PRELOAD) or "").split(",")]
    wanted = [name for name in wanted if name]
    if not wanted:
        return "", ()
    folder = Path(programs.run(destination, "pg_config", "--pkglibdir").stdout.decode().strip() or "/nonexistent")
    kept = [name for name in wanted if _is_there(folder, name)]
    lost = [name for name in wanted if name not in kept]
    notes = tuple(f"the library {name} of shared_preload_libraries is not installed here: left out" for name in lost)
    return ",".join(f'"{name}"' for name in kept), notes


_PRELOAD = "shared_preload_libraries"


def _is_there(folder: Path, name: str) -> bool:
    plain = re.sub(r"\.so$", "", name.removeprefix("$libdir/"))
    return Path(f"{plain}.so").is_file() if plain.startswith("/") else (folder / f"{plain}.so").is_file()


def _shared_buffers_mb() -> int:
    whole = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    return max(64, min(512, whole // 32 // _MB))

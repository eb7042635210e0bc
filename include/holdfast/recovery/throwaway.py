"""The throwaway server of a recovery environment: reached by its socket alone, quick, and of no lasting worth."""

from __future__ import annotations

import os
from collections.abc import Sequence
from contextlib import suppress
from functools import cache
from pathlib import Path

from holdfast.errors import DrillError, HoldfastError
from holdfast.process.child import Command, base_environment, run
from holdfast.recovery.account import Account, recovery_account
from holdfast.recovery.cluster import Cluster
from holdfast.recovery.launching import supervised
from holdfast.recovery.place import Place
from holdfast.recovery.programs import ServerPrograms

_MB = 1 << 20
# From most to least; processes of their own need a view of their own on /proc.
_LADDER = (("net", "pid", "mount", "ipc"), ("net", "mount"), ("net",), ())
# Where others leave files and sockets.
_STRANGERS_FOLDERS = tuple(map(Path, ("/tmp", "/var/tmp", "/run", "/dev/shm")))  # noqa: S108
_OUR_FOLDERS = ("HOME", "AIRFLOW_HOME", "HOLDFAST_STATE", "HOLDFAST_KEYS")
_SYSTEM = ("/usr", "/etc", "/lib", "/bin", "/proc", "/dev", "/sys")


# What the source's cluster loads for sessions or sends; and room for transactions that it had prepared.
_OF_A_COPY = {
    "session_preload_libraries": "",
    "local_preload_libraries": "",
    "archive_mode": "off",
    "ssl": "off",
    "max_prepared_transactions": "1000",
}


def throwaway_cluster(place: Place, programs: ServerPrograms, superuser: str | None = None) -> Cluster:
    """The cluster in that place, made or not; it is not started. ``superuser``: of one that a base backup brings.

    Where the kernel allows, its server has no network, sees no other process and no other recovery environment: what
    restored triggers, foreign tables or subscriptions would call out for must not leave the machine.
    """
    return Cluster(
        place.folder,
        programs.folder,
        port=None,
        socket_dir=place.socket,
        config=_settings(programs.major) | ({} if superuser is None else _OF_A_COPY),
        superuser=superuser or "postgres",
        # Every system has it; a restored database brings its own.
        locale="C",
        account=place.account,
        # Until 18 there are no checksums unless asked for, and no option against them.
        initdb_options=("--no-data-checksums",) if programs.major >= 18 else (),
        isolation=_isolation(place, programs.folder) if (place.folder / "data").is_dir() else (),
    )


def is_cut_off() -> bool:
    """Does this host's kernel let a throwaway server have no network?"""
    return any(_are_given(namespaces) for namespaces in _LADDER if "net" in namespaces)


def _settings(major: int) -> dict[str, str]:
    """Nothing has to survive a crash of the machine, and one restore has it all to itself.

    A crash of the server alone loses nothing: what was committed is with the kernel, since ``synchronous_commit``
    stays on, which costs next to nothing without fsync. A row lost here would be blamed on the backup.
    """
    share_mb = max(64, min(1024, _memory_bytes() // 16 // _MB))
    return {
        "fsync": "off",
        "full_page_writes": "off",
        "wal_level": "minimal",
        "max_wal_senders": "0",
        "autovacuum": "off",
        "shared_buffers": f"{share_mb // 2}MB",
        "maintenance_work_mem": f"{share_mb}MB",
        "work_mem": "32MB",
        "max_wal_size": "4GB",
        "checkpoint_timeout": "1h",
        "max_connections": "60",
        "max_locks_per_transaction": "1024",
        "jit": "off",
        "dynamic_shared_memory_type": _shared_memory(2 * share_mb * _MB),
        "log_min_error_statement": "panic",
        # A trigger on login would write rows between the restore and the count.
        **({"event_triggers": "off"} if major >= 17 else {}),
    }


def _memory_bytes() -> int:
    """The machine's, or less where a container has less (cgroup v2)."""
    whole = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    limit = Path("/sys/fs/cgroup/memory.max")
    said = limit.read_text().strip() if limit.exists() else ""
    return min(whole, int(said)) if said.isdecimal() else whole


def _shared_memory(needed_bytes: int) -> str:
    """Containers give little of /dev/shm, and an index built in parallel fails there."""
    try:
        found = os.statvfs("/dev/shm")  # noqa: S108 - nothing is written
    except OSError:
        return "mmap"
    return "posix" if found.f_bavail * found.f_frsize >= needed_bytes else "mmap"


def _isolation(place: Place, programs: Path) -> tuple[str, ...]:
    """What takes from the server all that it does not need, as far as the kernel allows.

    It runs what was restored, and as a superuser: functions in indexes and triggers may start any program.
    """
    needed = (programs.parent, place.folder / "data", place.socket)
    return isolation_of(place.account, needed, hidden=(place.root,))


def isolation_of(account: Account, needed: Sequence[Path], *, hidden: Sequence[Path] = ()) -> tuple[str, ...]:
    """What is put before the command line of a server that shall reach ``needed`` and, if it may be had, little else.

    Empty where the kernel allows nothing at all.
    """
    for namespaces in _LADDER:
        if _are_given(namespaces):
            with suppress(DrillError):
                everything = (*hidden, *_STRANGERS_FOLDERS, *_ours())
                return supervised(namespaces, account, needed=needed, hidden=everything)
    return ()


def _ours() -> list[Path]:
    """Folders with what is ours to know, such as keys, unless the system lies in them."""
    named = [Path(os.environ.get(name, "/")) for name in _OUR_FOLDERS]
    return [
        folder
        for folder in named
        if folder.is_absolute() and not any(Path(path).is_relative_to(folder.resolve()) for path in _SYSTEM)
    ]


@cache
def _are_given(namespaces: tuple[str, ...]) -> bool:
    if not namespaces:
        return True
    trial = (*supervised(namespaces, recovery_account(), hidden=_STRANGERS_FOLDERS), "true")
    try:
        run(Command(trial, base_environment()), timeout_s=30).require()
    except HoldfastError:
        return False
    return True

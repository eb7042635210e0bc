"""The PostgreSQL server programs: those of the wheel where they run, else the newest of the system's."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from holdfast.errors import HoldfastError, PermanentError
from holdfast.postgres.binaries import major_of
from holdfast.postgres.wheel import wheel_folder, wheel_version
from holdfast.process.child import Command, base_environment, run

_SYSTEM = Path("/usr/lib/postgresql")
_SUMMARIES_MAJOR = 17


def server_programs(system: Path = _SYSTEM) -> Path:
    """The folder of postgres and initdb; raises PermanentError with what keeps every one of them from running."""
    reasons: list[str] = []
    for folder in _candidates(system):
        try:
            run(Command((str(folder / "postgres"), "--version"), base_environment()), timeout_s=30).require()
        except HoldfastError as error:
            reasons.append(error.message)
        else:
            return folder
    raise PermanentError(
        f"no PostgreSQL server runs here: {'; '.join(reasons) or 'none is installed'}",
        hint="Install the shared library that is named, or the PostgreSQL server of your system.",
    )


def server_settings(programs: Path) -> dict[str, str]:
    """What the server is started with besides its defaults, which allow WAL to be streamed.

    From 17 on it keeps summaries of WAL, which incremental base backups are taken by.
    """
    said = run(Command((str(programs / "postgres"), "--version"), base_environment()), timeout_s=30).require()
    major = major_of(said.stdout.decode().rpartition("(PostgreSQL) ")[2])
    return {"summarize_wal": "on"} if major >= _SUMMARIES_MAJOR else {}


def _candidates(system: Path) -> Iterator[Path]:
    if wheel_version() is not None:
        yield wheel_folder()
    found = [folder for folder in system.glob("[0-9]*/bin") if (folder / "initdb").exists()]
    yield from sorted(found, key=lambda folder: int(re.sub(r"\D.*", "", folder.parent.name)), reverse=True)

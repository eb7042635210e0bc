"""The PostgreSQL server programs of the very major version that a base backup is of."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from holdfast.errors import DrillError, PermanentError
from holdfast.pitr.destination import Destination
from holdfast.process.child import Command, Finished, base_environment, run
from holdfast.recovery.programs import server_for

_NEEDED = ("postgres", "initdb", "pg_controldata", "pg_verifybackup")


@dataclass(frozen=True, slots=True)
class Programs:
    """The folder of the programs, and their major version."""

    folder: Path
    major: int

    def command(self, destination: Destination, program: str, *arguments: str) -> Command:
        """One of them as the account that the data directory belongs to."""
        privileges = destination.account.privileges(self.folder, destination.path)
        return Command((str(self.folder / program), *arguments), self.environment(), privileges=privileges)

    def run(self, destination: Destination, program: str, *arguments: str) -> Finished:
        """Run one of them to its end, whatever its status."""
        return run(self.command(destination, program, *arguments))

    def environment(self) -> dict[str, str]:
        """What each of them gets; extensions would find the system's older libpq before the one beside them."""
        beside = self.folder.parent / "lib"
        own = {"LD_LIBRARY_PATH": str(beside)} if (beside / "libpq.so.5").exists() else {}
        return base_environment() | own


def programs_for(major: int, *, with_combine: bool, environ: Mapping[str, str] | None = None) -> Programs:
    """Raises PermanentError where there are none of exactly that major version: no other can replay its WAL."""
    try:
        found = server_for(major, environ)
        lacking = f"the nearest found is {found.major}" if found.major != major else None
    except DrillError as error:
        found, lacking = None, error.message
    if found is not None and lacking is None:
        needed = (*_NEEDED, "pg_combinebackup") if with_combine else _NEEDED
        missing = [name for name in needed if not os.access(found.folder / name, os.X_OK)]
        if not missing:
            return Programs(found.folder, found.major)
        lacking = f"{found.folder} lacks {', '.join(missing)}"
    raise PermanentError(
        f"PostgreSQL {major}: the server programs of this version are needed to replay its WAL: {lacking}",
        hint=f"Install postgresql-{major} (from apt.postgresql.org), or name the folder of its programs in "
        "HOLDFAST_PG_BIN.",
    )

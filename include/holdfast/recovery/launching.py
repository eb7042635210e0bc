"""Start a command through the launcher: in its namespaces, as the recovery account, with everything it may see."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from pydantic import ConfigDict

from holdfast.errors import DrillError
from holdfast.manifest.model import Record
from holdfast.process.child import Command
from holdfast.process.listening import Tail
from holdfast.process.supervision import Child
from holdfast.recovery.account import Account

_TAIL_BYTES = 64 << 10
_STDERR = 2
_LAUNCHER = (sys.executable, "-I", "-S", str(Path(__file__).with_name("launcher.py")))


class Network(Record):
    """What the launcher saw of the network: kernel files by name, interfaces that are up, addresses with a route."""

    shown: dict[str, str]
    up: tuple[str, ...]
    ways_out: tuple[str, ...]


class Report(Record):
    """The one thing that the launcher tells: it was refused something, could not run the command, or the network."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    refused: str | None = None
    not_run: str | None = None
    network: Network | None = None


@dataclass(frozen=True, slots=True)
class Launch:
    """What to start, and where. ``argv`` None asks for a look at the network.

    ``needed`` are paths it must reach; ``useful`` ones it reaches too where that can be had. ``kept`` are descriptors
    that stay open until all of its processes are gone; it does not get them itself. ``hidden`` are folders of which it
    sees nothing but what else it reaches, where there is a mount namespace.
    """

    argv: tuple[str, ...] | None
    namespaces: tuple[str, ...]
    account: Account
    cwd: Path
    env: Mapping[str, str] = field(repr=False)
    needed: tuple[Path, ...] = ()
    useful: tuple[Path, ...] = ()
    kept: tuple[int, ...] = ()
    hidden: tuple[Path, ...] = ()


@dataclass(frozen=True, slots=True)
class Ended:
    """How it ended: ``status`` None when it was ended after the time given; ``output`` is unmasked."""

    status: int | None
    seconds: float
    output: str = field(repr=False)
    report: Report


def launch(what: Launch, *, timeout_s: float) -> Ended:
    """Run it to its end or to the end of its time; when this returns, none of its processes is left."""
    reading, writing = os.pipe()
    listener = Tail(_TAIL_BYTES)
    begun = time.monotonic()
    try:
        command = Command((*_LAUNCHER, _spec(what, writing)), what.env, pass_fds=(writing, *what.kept))
        child = Child(command, stdin=subprocess.DEVNULL, stdout=listener.mouth(), stderr=listener)
    finally:
        os.close(writing)
    with os.fdopen(reading, "rb") as reports:
        try:
            status = child.wait(timeout_s)
        finally:
            child.end(grace_s=10.0)
        said = reports.read()
    report = Report.model_validate_json(said) if said else Report()
    return Ended(status, time.monotonic() - begun, "".join(child.voices), report)


def demand_reach(account: Account, needed: Sequence[Path], namespaces: Sequence[str]) -> tuple[tuple[str, str], ...]:
    """Which closed folder hides which of ``needed`` from the account; a mount namespace can show these alone.

    Raises DrillError where a path is closed itself, or where there is no mount namespace.
    """
    hidden = _hidden(account, needed)
    for closed, path in hidden:
        if "mount" not in namespaces or not account.may_search(Path(path)):
            raise DrillError(
                f"the commands run as the user {account.name}, who cannot reach {path}: {closed} is closed to others",
                hint="Move it to a folder that is open to others, such as /srv, or run as the user who owns it.",
            )
    return hidden


def _hidden(account: Account, paths: Sequence[Path]) -> tuple[tuple[str, str], ...]:
    """Of each path as it is named, and as it is behind symbolic links."""
    if account.name is None:
        return ()
    both = (form for path in paths for form in (path, path.resolve()))
    ways = ((account.closed_folder(path), path) for path in dict.fromkeys(both))
    return tuple((str(closed), str(path)) for closed, path in ways if closed is not None)


def supervised(
    namespaces: Sequence[str], account: Account, *, needed: Sequence[Path] = (), hidden: Sequence[Path] = ()
) -> tuple[str, ...]:
    """What stands before a server's command line to have it run in these namespaces, as ``account``, with no rights.

    SIGINT and SIGTERM shut it down. All that it started ends with it, and it with the launcher.
    """
    what = Launch(None, tuple(namespaces), account, Path("/"), {}, needed=tuple(needed), hidden=tuple(hidden))
    return (*_LAUNCHER, _spec(what, _STDERR, is_server=True))


def _spec(what: Launch, report: int, *, is_server: bool = False) -> str:
    changes = what.account.name is not None
    covered, shown = _view(what)
    return json.dumps(
        {
            "namespaces": what.namespaces,
            "uid": what.account.uid if changes else None,
            "gid": what.account.gid if changes else None,
            "covered": covered,
            "shown": shown,
            "cwd": str(what.cwd),
            "argv": what.argv,
            "is_server": is_server,
            "report": report,
            "kept": what.kept,
        }
    )


def _view(what: Launch) -> tuple[list[str], list[str]]:
    """Which folders are covered, and which paths below them stay to be seen."""
    account = what.account
    closed = [top for top, _ in demand_reach(account, what.needed, what.namespaces)]
    if "mount" not in what.namespaces:
        return [], []
    useful = [path for path in what.useful if account.may_search(path)]
    closed += [top for top, _ in _hidden(account, useful)]
    covered = {*closed, *(str(folder.resolve()) for folder in what.hidden if folder.is_dir())}
    paths = {str(form) for path in (*what.needed, *useful) if path.exists() for form in (path, path.resolve())}
    shown = {path for path in paths if any(path.startswith(f"{top}/") for top in covered)}
    return sorted(covered), sorted(shown)

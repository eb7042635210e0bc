"""Run one of the application's commands in a recovery environment, and keep what it said, without secrets."""

from __future__ import annotations

import os
import shlex
import shutil
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from holdfast.errors import DrillError
from holdfast.recovery.confinement import Confined
from holdfast.recovery.launching import Launch, launch
from holdfast.recovery.place import Place
from holdfast.recovery.said import lines_said

_TIMED_OUT = 124
# Sockets and memory that programs of this machine share; name resolution needs them where there is a network.
_OTHERS_FOLDERS = (Path("/run"), Path("/dev/shm"))  # noqa: S108


@dataclass(frozen=True, slots=True)
class CommandOutcome:
    """How a command ended: ``status`` is as a shell tells it, 124 when its time ran out; ``said`` is masked."""

    status: int
    seconds: float
    timed_out: bool
    said: tuple[str, ...]


def run_command(
    place: Place,
    confined: Confined,
    command: str,
    *,
    cwd: Path,
    env: Mapping[str, str],
    timeout_s: float,
    secrets: Iterable[str] = (),
    lock: int,
) -> CommandOutcome:
    """Run it without a shell and to its end; all of its processes are gone when this returns.

    Its environment is ``env``, and where that does not say otherwise our PATH and a HOME and TMPDIR in the recovery
    folder. Whoever wants ``lock`` waits for the command too, even when we were killed. Raises DrillError for a command
    that cannot be started.
    """
    own = {
        "PATH": os.environ.get("PATH", os.defpath),
        "HOME": str(place.home),
        "TMPDIR": str(place.temporary),
        "LANG": "C.UTF-8",
    }
    whole = own | dict(env)
    argv = _argv(command)
    program = _program(argv[0], cwd, whole["PATH"])
    what = Launch(
        (str(program), *argv[1:]),
        confined.namespaces,
        place.account,
        cwd,
        whole,
        needed=tuple(path for path in (cwd, *place.for_commands) if path != place.folder),
        kept=(lock,),
        useful=(*_prefixes(whole["PATH"]), *_prefixes(str(program.resolve().parent))),
        hidden=(place.root, *_OTHERS_FOLDERS) if "net" in confined.namespaces else (place.root,),
    )
    ended = launch(what, timeout_s=timeout_s)
    failure = ended.report.refused or ended.report.not_run
    if failure is not None:
        raise DrillError(
            f"command {argv[0]!r}: cannot be started: {failure.lower()}",
            hint=f"It runs as the user {place.account.name or 'of this process'} in {cwd}: is {program} his to run, "
            "and its interpreter there?",
        )
    said = lines_said(ended.output, secrets)
    status = _TIMED_OUT if ended.status is None else ended.status
    return CommandOutcome(status, round(ended.seconds, 3), ended.status is None, said)


def _argv(command: str) -> list[str]:
    try:
        argv = shlex.split(command)
    except ValueError as error:
        raise DrillError(f"command {command!r}: cannot be split into words: {str(error).lower()}") from error
    if not argv:
        raise DrillError("command: is empty")
    return argv


def _program(name: str, cwd: Path, path: str) -> Path:
    if not cwd.is_dir():
        raise DrillError(
            f"command {name!r}: the folder {cwd} to run it in is not there",
            hint="Name the application's folder on the recovery host as `drill: {app_dir: …}`.",
        )
    found = shutil.which(cwd / name if "/" in name else name, path=path)
    if found is None:
        raise DrillError(
            f"command {name!r}: not found",
            hint=f"Install it on the recovery host, or set PATH under `drill: {{env: …}}`; looked in {path}.",
        )
    return Path(found).absolute()


def _prefixes(path: str) -> Iterable[Path]:
    """The folders in which programs and what they load lie: of ``/opt/node/bin`` it is ``/opt/node``."""
    for name in filter(None, path.split(os.pathsep)):
        folder = Path(name).absolute()
        if folder.is_dir():
            yield folder
            if folder.name == "bin" and folder.parent != Path("/"):
                yield folder.parent

"""Runs one of the application's commands against the live database: no shell, an environment made from nothing."""

from __future__ import annotations

import os
import shlex
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from holdfast.errors import PolicyError, UsageError
from holdfast.policy.restore import Migration
from holdfast.postgres.conninfo import Target
from holdfast.recovery import CommandOutcome
from holdfast.recovery.account import Account
from holdfast.recovery.launching import Launch, launch
from holdfast.recovery.said import lines_said
from holdfast.recovery.url import url_of

_TIMED_OUT = 124
_INHERITED = ("HOME", "TMPDIR")


class NotStarted(UsageError):
    """The command did not run, not even in part."""


@dataclass(frozen=True, slots=True)
class LiveCommand:
    """A command that can be run: its words, where, with which environment, for how long. Holds the live password."""

    line: str
    argv: tuple[str, ...]
    cwd: Path
    env: dict[str, str] = field(repr=False)
    timeout_s: float
    secrets: tuple[str, ...] = field(repr=False)

    def run(self) -> CommandOutcome:
        """Run it to its end or the end of its time: none of its processes is left, and no secret in what was said.

        It runs as our own user, but without that user's power over permissions (capabilities) and without a way to
        others' (sudo). Raises NotStarted.
        """
        account = Account(None, os.geteuid(), os.getegid())
        ended = launch(Launch(self.argv, (), account, self.cwd, self.env), timeout_s=self.timeout_s)
        failure = ended.report.refused or ended.report.not_run
        if failure is not None:
            raise NotStarted(
                f"command {self.argv[0]!r}: cannot be started: {failure.lower()}",
                hint=f"Is it executable for this user, and its interpreter there? It runs in {self.cwd}.",
            )
        status = _TIMED_OUT if ended.status is None else ended.status
        said = lines_said(ended.output, self.secrets)
        return CommandOutcome(status, round(ended.seconds, 3), ended.status is None, said)


@contextmanager
def live_command(rules: Migration, live: Target, line: str, **filled: str) -> Iterator[LiveCommand]:
    """The policy's ``line`` as it can be run; ``filled`` replaces ``{name}`` within its words, after it was split.

    Raises PolicyError for a line that cannot be split, UsageError where folder or program are not on this host.
    """
    with _folder(rules.app_dir) as cwd:
        address = url_of(live)
        env = {
            "PATH": os.environ.get("PATH", os.defpath),
            **{name: os.environ[name] for name in _INHERITED if name in os.environ},
            "LANG": "C.UTF-8",
            **rules.env,
            rules.database_variable: address,
        }
        program, *rest = _words(line)
        argv = (str(_program(program, cwd, env["PATH"])), *(_fill(word, filled) for word in rest))
        yield LiveCommand(line, argv, cwd, env, rules.timeout.as_seconds, (*live.secrets, address))


@contextmanager
def _folder(app_dir: str | None) -> Iterator[Path]:
    if app_dir is None:
        with tempfile.TemporaryDirectory(prefix="holdfast-") as folder:
            yield Path(folder)
        return
    if not Path(app_dir).is_dir():
        raise UsageError(
            f"migration.app_dir {app_dir}: no such directory on this host",
            hint="Install the application's release there, or name its folder.",
        )
    yield Path(app_dir)


def _words(line: str) -> list[str]:
    try:
        words = shlex.split(line)
    except ValueError as error:
        raise PolicyError(f"migration: command {line!r}: cannot be split into words: {str(error).lower()}") from error
    if not words:
        raise PolicyError("migration: a command is empty")
    return words


def _program(name: str, cwd: Path, path: str) -> Path:
    found = shutil.which(cwd / name if "/" in name else name, path=path)
    if found is None:
        raise UsageError(
            f"command {name!r}: not found",
            hint=f"Install it on this host, or set PATH under `migration: {{env: …}}`; looked in {path}.",
        )
    return Path(found).absolute()


def _fill(word: str, filled: dict[str, str]) -> str:
    for name, value in filled.items():
        word = word.replace(f"{{{name}}}", value)
    return word

"""The server that replays: on a socket alone, isolated where the kernel allows, gone when we are."""

from __future__ import annotations

import os
import re
import signal
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from holdfast.pitr.settings import Configuration
from holdfast.postgres.conninfo import Target
from holdfast.process.child import Command
from holdfast.process.supervision import Child
from holdfast.recovery.cluster import shut_down
from holdfast.recovery.orphans import clear_leftovers, is_ready, read_lines

_STOP_S = 600.0
_TAIL_BYTES = 64 << 10
_SAID = re.compile(r"(?:FATAL|PANIC|ERROR|WARNING|HINT|DETAIL|LOG):  (.*)")
# As a superuser of the source may have set them for roles and databases: nothing of that may run or fail here.
_OPTIONS = "-c session_preload_libraries= -c local_preload_libraries= -c statement_timeout=0"

Phase = Literal["starting", "up", "gone"]


class ReplayServer:
    """One run of the server of ``configuration``; ``isolation`` stands before its command line."""

    def __init__(self, configuration: Configuration, isolation: Sequence[str]) -> None:
        self._configuration = configuration
        self._isolation = tuple(isolation)
        self._data = configuration.destination.path
        self._child: Child | None = None
        self._began = 0

    @property
    def log(self) -> Path:
        """What it wrote since it was first started."""
        return self._configuration.destination.work / "server.log"

    def start(self) -> None:
        """Start it; it is not waited for."""
        clear_leftovers(self._data)
        log = os.open(self.log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        try:
            self._began = os.fstat(log).st_size
            self._child = Child(self._command(), stdout=log, stderr=log, death_signal=signal.SIGINT)
        finally:
            os.close(log)

    def phase(self) -> Phase:
        """How far it is; ``up``: it takes connections, recovering or not."""
        if self._child is None or not self._child.is_running():
            return "gone"
        return "up" if is_ready(read_lines(self._data / "postmaster.pid")) else "starting"

    def stop(self) -> None:
        """Shut it down cleanly, sessions notwithstanding; does nothing when it does not run."""
        if self._child is None:
            return
        try:
            shut_down(self._child, _STOP_S)
        finally:
            self._child = None

    def last_words(self) -> str:
        """The lines of its log that say why, of this run."""
        lines = self.said().splitlines()
        grave = [line for line in lines if re.search(r"(FATAL|PANIC|ERROR):  ", line)]
        told = [_SAID.search(line) for line in (grave or lines)[-3:]]
        return " / ".join(found[1] for found in told if found) or "it said nothing"

    def said(self) -> str:
        """The end of its log, of this run alone."""
        try:
            with self.log.open("rb") as file:
                size = file.seek(0, os.SEEK_END)
                file.seek(max(self._began, size - _TAIL_BYTES))
                return file.read().decode(errors="replace")
        except OSError:
            return ""

    def target(self, database: str = "postgres") -> Target:
        """How its superuser gets in."""
        major = self._configuration.programs.major
        triggers = " -c event_triggers=off" if major >= 17 else ""
        return Target(
            {
                "host": str(self._configuration.socket),
                "port": "5432",
                "user": self._configuration.plan.base.superuser,
                "dbname": database,
                "options": _OPTIONS + triggers,
            }
        )

    def _command(self) -> Command:
        """Behind ``isolation``, which needs our own rights and gives them up by itself."""
        where, programs = self._configuration.destination, self._configuration.programs
        arguments = ("-D", str(self._data), f"--config-file={self._configuration.file}")
        if not self._isolation:
            return programs.command(where, "postgres", *arguments)
        return Command((*self._isolation, str(programs.folder / "postgres"), *arguments), programs.environment())

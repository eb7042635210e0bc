"""A server that runs as long as we do: its own process group, its own log file, surely ended."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from holdfast.errors import PermanentError


class Server:
    """A running server. The kernel ends it when we die."""

    def __init__(self, name: str, argv: Sequence[str], *, env: Mapping[str, str], cwd: Path, log: Path) -> None:
        self.name = name
        self.log = log
        with log.open("ab") as output:
            self._log_start = output.tell()
            self._process = subprocess.Popen(
                ["setpriv", "--pdeathsig", "TERM", "--", *argv],
                env=dict(env),
                cwd=cwd,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def require(self) -> None:
        """Raise PermanentError if it has ended by itself, with the last thing that it said."""
        status = self._process.poll()
        if status is not None:
            ending = f"exit status {status}" if status >= 0 else f"killed by signal {-status}"
            raise PermanentError(f"{self.name} ended by itself ({ending}): {self._last_line()}; see {self.log}")

    @property
    def pid(self) -> int:
        """Its process, which leads a group of its own."""
        return self._process.pid

    def is_running(self) -> bool:
        """Is it still there?"""
        return self._process.poll() is None

    def wait(self) -> None:
        """Return when it ends with status 0; raises PermanentError for any other end."""
        if self._process.wait() != 0:
            self.require()

    def ask_to_end(self) -> None:
        """Send SIGTERM to the server alone, which ends its own workers in order."""
        if self._process.poll() is None:
            self._process.terminate()

    def end(self, deadline: float) -> None:
        """Wait until ``deadline`` (monotonic clock) for the end, then kill what is left of its group."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(max(0.0, deadline - time.monotonic()))
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()

    def _last_line(self) -> str:
        with self.log.open("rb") as log:
            log.seek(self._log_start)
            lines = log.read().decode(errors="replace").splitlines()
        return next((line.strip() for line in reversed(lines) if line.strip()), "it said nothing")


def end_all(servers: Sequence[Server], grace_s: float) -> None:
    """End servers that do not depend on one another, all at once."""
    deadline = time.monotonic() + grace_s
    for server in servers:
        server.ask_to_end()
    for server in servers:
        server.end(deadline)

"""A program that runs beside what is measured, until it is told to end; and what it took."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from bench.running import Run
from holdfast.errors import PermanentError

_GRACE_S = 30.0


@dataclass
class Background:
    """A program that goes on until it is told to end."""

    argv: Sequence[str | Path]
    env: Mapping[str, str]
    said: Path
    _started: float = 0.0
    _process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it; it ends with this process at the latest."""
        with self.said.open("wb") as out, self.said.with_suffix(".err").open("wb") as err:
            self._started = time.perf_counter()
            self._process = subprocess.Popen(
                ["setpriv", "--pdeathsig", "TERM", "--", *map(str, self.argv)],
                env=dict(self.env),
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=err,
            )

    def end(self, by: signal.Signals) -> Run:
        """End it; CPU seconds are its own and those of the children that it waited for."""
        process = self._process
        assert process is not None
        peak = _peak_bytes(process.pid)
        process.send_signal(by)
        deadline = time.monotonic() + _GRACE_S
        while (waited := os.wait4(process.pid, os.WNOHANG))[0] == 0:
            if time.monotonic() > deadline:
                process.kill()
            time.sleep(0.02)
        process.returncode = os.waitstatus_to_exitcode(waited[1])
        if process.returncode:
            said = self.said.with_suffix(".err").read_text(errors="replace")[-2000:]
            raise PermanentError(f"{self.argv[0]}: ended with status {process.returncode}: {said}")
        usage, self._process = waited[2], None
        seconds = time.perf_counter() - self._started
        return Run(seconds, usage.ru_utime + usage.ru_stime, peak, self.said.read_bytes())

    def demand_running(self) -> None:
        """Raise PermanentError with what it said if it has ended by itself."""
        assert self._process is not None
        if os.waitid(os.P_PID, self._process.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None:
            said = self.said.with_suffix(".err").read_text(errors="replace")[-2000:]
            raise PermanentError(f"{self.argv[0]}: has ended: {said}")


def _peak_bytes(pid: int) -> int:
    """High-water marks of a process and of its children, together."""
    children = Path(f"/proc/{pid}/task/{pid}/children")
    pids = [pid, *(int(child) for child in children.read_text().split())]
    return sum(_mark_bytes(Path(f"/proc/{one}/status")) for one in pids)


def _mark_bytes(status: Path) -> int:
    try:
        lines = status.read_text().splitlines()
    except OSError:
        return 0
    return sum(int(line.split()[1]) << 10 for line in lines if line.startswith("VmHWM:"))

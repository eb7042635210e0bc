"""Runs one program and measures it: seconds, CPU seconds, and the high-water mark of its own memory."""

from __future__ import annotations

import os
import signal
import subprocess
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from holdfast.errors import PermanentError

_POLL_S = 0.01
_GRACE_S = 15.0


@dataclass(frozen=True, slots=True)
class Run:
    """One finished program, or several that ran one after another.

    ``cpu_seconds`` are user and system time of it and of every child it waited for; ``peak_bytes`` is its own
    resident memory alone, 0 where nobody watched.
    """

    seconds: float
    cpu_seconds: float
    peak_bytes: int = 0
    output: bytes = b""

    def then(self, following: Run) -> Run:
        """Both as one."""
        return Run(
            self.seconds + following.seconds,
            self.cpu_seconds + following.cpu_seconds,
            max(self.peak_bytes, following.peak_bytes),
            following.output,
        )


def run(argv: Sequence[str | Path], env: Mapping[str, str], *, watches_memory: bool = False) -> Run:
    """Run a program to its end; raises PermanentError with what it said when its exit status is not 0."""
    with os.fdopen(os.memfd_create("stdout"), "rb") as stdout, os.fdopen(os.memfd_create("stderr"), "rb") as stderr:
        started = time.perf_counter()
        process = subprocess.Popen(
            ["setpriv", "--pdeathsig", "TERM", "--", *map(str, argv)],
            env=dict(env),
            stdin=subprocess.DEVNULL,
            stdout=stdout.fileno(),
            stderr=stderr.fileno(),
        )
        memory = _Memory(process.pid) if watches_memory else None
        try:
            _, status, usage = os.wait4(process.pid, 0)
        except BaseException:
            _end(process)
            raise
        seconds = time.perf_counter() - started
        process.returncode = os.waitstatus_to_exitcode(status)
        stdout.seek(0)
        stderr.seek(0)
        if process.returncode:
            said = (stderr.read() or stdout.read()).decode(errors="replace").strip()[-2000:]
            raise PermanentError(f"{Path(argv[0]).name} {argv[1]} failed (status {process.returncode}): {said}")
        peak_bytes = memory.peak_bytes() if memory else 0
        return Run(seconds, usage.ru_utime + usage.ru_stime, peak_bytes, stdout.read())


def _end(process: subprocess.Popen[bytes]) -> None:
    process.send_signal(signal.SIGTERM)
    try:
        process.wait(_GRACE_S)
    finally:
        process.kill()


class _Memory:
    """Reads a process's high-water mark until it is gone; the kernel keeps the mark, so nothing in between is lost."""

    def __init__(self, pid: int) -> None:
        self._status = Path(f"/proc/{pid}/status")
        self._peak_kib = 0
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._thread.start()

    def peak_bytes(self) -> int:
        """The last mark that was seen; call it when the process has ended."""
        self._thread.join()
        return self._peak_kib << 10

    def _watch(self) -> None:
        while (mark := self._mark()) is not None:
            self._peak_kib = mark
            time.sleep(_POLL_S)

    def _mark(self) -> int | None:
        try:
            lines = self._status.read_text().splitlines()
        except OSError:
            return None
        marks = [int(line.split()[1]) for line in lines if line.startswith("VmHWM:")]
        return marks[0] if marks else None

"""Nothing that was started outlives the keeper, whoever is killed and however deaf the servers are."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import pytest

from holdfast_embedded.process_tree import descendants

_INCLUDE = Path(__file__).parents[2] / "include"
# The work starts a server that ignores polite requests, which starts another one in a session of its own
# whose parent then ends: nothing but its place in our tree connects it to us.
_PROGRAM = """
import os, subprocess, sys, time
from pathlib import Path
from holdfast_embedded.keeper import Stop, keep

def work():
    deaf = 'trap "" TERM INT HUP; echo $$ >> "$1"; sleep 600 & wait; sleep 600'
    subprocess.Popen(["sh", "-c", deaf, "deaf", sys.argv[1]], start_new_session=True)
    subprocess.run(["sh", "-c", f"setsid sh -c '{deaf}' orphan \\"$1\\" &", "parent", sys.argv[1]])
    while len(Path(sys.argv[1]).read_text().split() if Path(sys.argv[1]).exists() else []) < 2:
        time.sleep(0.02)
    Path(sys.argv[1] + ".ready").write_text(str(os.getpid()))
    if sys.argv[2] == "end":
        return 7
    try:
        time.sleep(600)
    except Stop:
        Path(sys.argv[1] + ".stopped").touch()
        raise

sys.exit(keep(work, grace_s=0.3))
"""


@dataclass(frozen=True, slots=True)
class Kept:
    """A running keeper, and the servers that its work has started."""

    process: subprocess.Popen[bytes]
    outer: int
    inner: int
    servers: tuple[int, ...]
    was_asked: Path

    def everyone(self) -> set[int]:
        """All that must be gone in the end."""
        return {self.outer, self.inner, *self.servers}


@pytest.fixture
def kept(tmp_path: Path) -> Iterator[Callable[..., Kept]]:
    """Starts a keeper, below ``make`` if asked."""
    started: list[Kept] = []

    def start(*, mode: str = "stay", below_make: bool = False) -> Kept:
        program, pids = tmp_path / "program.py", tmp_path / "pids"
        program.write_text(_PROGRAM)
        argv = [sys.executable, str(program), str(pids), mode]
        if below_make:
            (tmp_path / "Makefile").write_text(f"run:\n\t@exec {' '.join(argv)}\n")
            argv = ["make", "-f", str(tmp_path / "Makefile"), "run"]
        variables = {**os.environ, "PYTHONPATH": str(_INCLUDE)}
        process = subprocess.Popen(argv, env=variables, start_new_session=True, stderr=subprocess.DEVNULL)
        ready = Path(f"{pids}.ready")
        await_true(lambda: ready.exists() and ready.read_text() != "")
        inner = int(ready.read_text())
        outer = next(iter(descendants(process.pid))) if below_make else process.pid
        made = Kept(process, outer, inner, tuple(map(int, pids.read_text().split())), Path(f"{pids}.stopped"))
        started.append(made)
        return made

    yield start
    for each in started:
        for pid in each.everyone():
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        each.process.wait()


def await_true(condition: Callable[[], bool]) -> None:
    """Wait for up to 20 seconds."""
    deadline = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def is_alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except OSError:
        return False


def all_gone(kept: Kept) -> bool:
    return not any(map(is_alive, kept.everyone()))


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_request_to_stop_is_handed_on_and_ends_all(kept: Callable[..., Kept], number: signal.Signals) -> None:
    """The work is told once, in its main thread; the deaf are killed."""
    running = kept()
    os.kill(running.outer, number)
    assert running.process.wait(20) == 130
    assert running.was_asked.exists()
    assert all_gone(running)


@pytest.mark.parametrize("victim", ["outer", "inner"])
def test_kill_of_either_process_ends_all(kept: Callable[..., Kept], victim: str) -> None:
    """Whichever is killed without a word, the other one clears up."""
    running = kept()
    os.kill(getattr(running, victim), signal.SIGKILL)
    await_true(lambda: all_gone(running) or running.process.poll() is None)
    running.process.wait(20)
    await_true(lambda: all_gone(running))


def test_end_of_the_work_ends_all_and_hands_on_its_status(kept: Callable[..., Kept]) -> None:
    """What the work forgot to end is ended for it."""
    running = kept(mode="end")
    assert running.process.wait(20) == 7
    assert all_gone(running)


def test_interrupt_of_make_alone_is_noticed(kept: Callable[..., Kept]) -> None:
    """`make` that gets SIGINT waits for its children without telling them."""
    running = kept(below_make=True)
    running.process.send_signal(signal.SIGINT)
    running.process.wait(20)
    assert running.was_asked.exists()
    assert all_gone(running)


def test_kill_of_make_is_noticed(kept: Callable[..., Kept]) -> None:
    """Nobody waits for us any more."""
    running = kept(below_make=True)
    running.process.kill()
    running.process.wait()
    await_true(lambda: all_gone(running))

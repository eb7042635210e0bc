"""Real children: streamed, fed, judged by their end, and never left behind."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from holdfast.errors import PermanentError, ToolError
from holdfast.process.child import ChildFailed, Command, base_environment, run, stream
from holdfast.process.listening import Voices
from holdfast.process.supervision import Child


def shell(script: str, *secrets: str) -> Command:
    """A command of sh."""
    return Command(("sh", "-c", script), base_environment(), secrets)


def is_alive(pid: int) -> bool:
    """Does the process run (and is no corpse that only waits to be reaped)?"""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def await_end(*pids: int) -> None:
    """Wait until the processes are gone."""
    deadline = time.monotonic() + 10
    while any(is_alive(pid) for pid in pids):
        assert time.monotonic() < deadline, "still alive"
        time.sleep(0.01)


def test_stream_gives_all_output() -> None:
    """In pieces, in order, to the end."""
    assert b"".join(stream(shell("seq 1 100000"))) == b"".join(b"%d\n" % i for i in range(1, 100001))


@pytest.mark.parametrize(("script", "status"), [("echo whole; exit 3", 3), ("echo whole; kill -9 $$", -9)])
def test_stream_of_a_failed_child_does_not_end_normally(script: str, status: int) -> None:
    """However complete the output looks."""
    pieces = []
    with pytest.raises(ChildFailed) as caught:
        for piece in stream(shell(f"echo 'pg_dump: error: why' >&2; {script}")):
            pieces.append(piece)
    assert pieces == [b"whole\n"]
    assert caught.value.status == status
    assert "error: why" in caught.value.message


def test_closing_early_ends_the_whole_group() -> None:
    """The child and what it started."""
    with stream(shell("sleep 1000 & echo $$ $!; exec sleep 1000")) as pieces:
        pids = [int(word) for word in next(pieces).split()]
    await_end(*pids)


def test_child_that_ignores_the_request_is_killed(monkeypatch: pytest.MonkeyPatch) -> None:
    """After the grace time."""
    child = Child(shell("trap '' TERM; echo >&2; while :; do sleep 0.05; done"))
    time.sleep(0.2)
    child.end(grace_s=0.2)
    assert child.wait() == -signal.SIGKILL


def test_halted_child_is_ended_at_once() -> None:
    """It is woken to hear the request."""
    child = Child(shell("kill -STOP $$; sleep 1000"))
    time.sleep(0.2)
    started = time.monotonic()
    child.end()
    assert time.monotonic() - started < 4


def test_what_a_child_leaves_running_is_ended_with_it() -> None:
    """Even when the child itself ended well."""
    finished = run(shell("sleep 1000 >&- 2>&- & echo $!"))
    assert finished.status == 0
    await_end(int(finished.stdout))


def test_child_dies_with_its_parent() -> None:
    """By kill -9 of the parent, which can clean nothing up."""
    script = (
        "import time\n"
        "from holdfast.process.child import Command, base_environment, stream\n"
        "pieces = stream(Command(('sh', '-c', 'echo $$; exec sleep 1000'), base_environment()))\n"
        "print(int(next(pieces)), flush=True)\n"
        "time.sleep(1000)\n"
    )
    environment = {"PYTHONPATH": os.pathsep.join(sys.path), "PATH": os.environ["PATH"]}
    with subprocess.Popen([sys.executable, "-c", script], env=environment, stdout=subprocess.PIPE) as parent:
        assert parent.stdout is not None
        pid = int(parent.stdout.readline())
        assert is_alive(pid)
        parent.kill()
    await_end(pid)


def test_child_survives_the_thread_that_asked_for_it() -> None:
    """Pieces are often fetched by threads of a pool; the kernel's death signal is about threads."""
    started: list[Child] = []
    thread = threading.Thread(target=lambda: started.append(Child(shell("sleep 1000"))))
    thread.start()
    thread.join()
    time.sleep(0.3)
    assert started[0].is_running()
    started[0].end()


def test_interrupted_reader_ends_the_child() -> None:
    """As by Ctrl-C, which comes while the reader waits for a piece."""

    def interrupt(number: int, frame: object) -> None:
        raise KeyboardInterrupt

    pieces = stream(shell("echo $$; exec sleep 1000"))
    pid = int(next(pieces))
    before = signal.signal(signal.SIGALRM, interrupt)
    try:
        signal.setitimer(signal.ITIMER_REAL, 0.2)
        with pytest.raises(KeyboardInterrupt):
            next(pieces)
    finally:
        signal.signal(signal.SIGALRM, before)
    await_end(pid)


def test_input_is_drained_when_the_child_stops_reading() -> None:
    """Other consumers of the input, such as a hash, need it to its end."""
    taken = []

    def pieces() -> Iterator[bytes]:
        for number in range(50):
            taken.append(number)
            yield b"x" * 100_000

    assert run(shell("head -c 3"), stdin=pieces(), drain=True).stdout == b"xxx"
    assert taken == list(range(50))
    taken.clear()
    assert run(shell("head -c 3"), stdin=pieces()).stdout == b"xxx"
    assert len(taken) < 50


def test_error_of_the_input_ends_the_child_and_passes_through() -> None:
    """A damaged archive must not look like a short one."""

    def pieces() -> Iterator[bytes]:
        yield b"x"
        raise ValueError("damaged")

    before = threading.active_count()
    with pytest.raises(ValueError, match="damaged"):
        run(shell("sleep 1000"), stdin=pieces())
    assert threading.active_count() <= before + 1


def test_secrets_are_masked_in_all_that_is_kept() -> None:
    """Raw and URL-encoded, in stderr and in the error."""
    script = "echo 'error: p@ss/word p%40ss%2Fword' >&2; exit 1"
    with pytest.raises(ChildFailed) as caught:
        b"".join(stream(shell(script, "p@ss/word")))
    assert caught.value.stderr == "error: *** ***\n"
    assert "error: *** ***" in caught.value.message


def test_long_stderr_keeps_its_end() -> None:
    """From the start of a line: half a secret could not be masked."""
    with pytest.raises(ChildFailed) as caught:
        b"".join(stream(shell("yes line | head -c 300000 >&2; echo last >&2; exit 1")))
    assert caught.value.stderr.endswith("last\n")
    assert set(caught.value.stderr.splitlines()) == {"line", "last"}
    assert len(caught.value.stderr) < 200_000


def test_environment_is_made_for_the_child(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody else's secrets reach it."""
    monkeypatch.setenv("AIRFLOW_CONN_OTHER", "secret")
    monkeypatch.setenv("PGPASSWORD", "secret")
    names = {line.partition(b"=")[0] for line in run(shell("env")).stdout.splitlines()}
    assert names <= {b"PATH", b"HOME", b"TMPDIR", b"LC_ALL", b"PWD", b"SHLVL", b"_", b"OLDPWD"}


def test_missing_program_and_endless_program() -> None:
    """Both are told in one line."""
    with pytest.raises(PermanentError, match="no-such-program: cannot be started"):
        run(Command(("no-such-program",), base_environment()))
    with pytest.raises(ToolError, match=r"sleep: did not end within 0\.1 s"):
        run(Command(("sleep", "1000"), base_environment()), timeout_s=0.1)


def test_no_descriptor_is_left_open() -> None:
    """Neither by success, nor by failure, nor by a program that is missing."""

    def all_ways() -> None:
        run(shell("echo x; echo y >&2"), stdin=[b"x"])
        run(shell("true"), stderr=Voices(1000, b"p", lambda line: False))
        with stream(shell("yes")) as pieces:
            next(pieces)
        with pytest.raises(PermanentError):
            run(Command(("no-such-program",), base_environment()))

    all_ways()
    before = set(Path("/proc/self/fd").iterdir())
    for _ in range(5):
        all_ways()
    assert set(Path("/proc/self/fd").iterdir()) <= before  # others' may be closed meanwhile


def test_voices_are_told_apart() -> None:
    """Two processes that write pieces of lines in turn to the same stderr."""
    script = (
        "(for i in 1 2 3 4 5; do printf 'p: ' >&2; sleep 0.01; printf 'one\n more\n' >&2; sleep 0.01; done) &"
        "for i in 1 2 3 4 5; do printf 'p: ' >&2; sleep 0.01; printf 'two\n' >&2; sleep 0.005; done;"
        "wait; printf 'end' >&2"
    )
    finished = run(shell(script), stderr=Voices(1000, b"p: ", lambda line: False))
    assert set(finished.voices) == {"p: one\n more\n" * 5, "p: two\n" * 5 + "end"}


def test_voices_drop_noise_with_its_continuation_and_tell_when_cut() -> None:
    """What is not worth keeping takes no room."""
    script = (
        "for i in $(seq 1000); do echo 'p: noise'; echo continued; done >&2; echo 'p: said' >&2; echo 'p: lost' >&2"
    )
    finished = run(shell(script), stderr=Voices(10, b"p: ", lambda line: b"noise" in line))
    assert finished.voices == ("p: said\n",)
    assert finished.was_cut

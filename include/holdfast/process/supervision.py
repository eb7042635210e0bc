"""One child process and all its descendants: started, listened to, and surely ended."""

from __future__ import annotations

import contextlib
import fcntl
import os
import select
import shutil
import signal
import subprocess
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from holdfast.errors import PermanentError
from holdfast.process.listening import Listener, Tail
from holdfast.redaction import redact

PIPE_BYTES = 1 << 20
_GRACE_S = 5.0
_TAIL_BYTES = 64 << 10


@dataclass(frozen=True, slots=True)
class Command:
    """A program to run: ``env`` is its whole environment, ``secrets`` are masked in all it says.

    Arguments are visible to every user of the machine and must hold no secret. ``privileges`` are
    setpriv's options that change user, groups or capabilities before the program starts.
    """

    argv: tuple[str, ...]
    env: Mapping[str, str] = field(repr=False)
    secrets: tuple[str, ...] = field(default=(), repr=False)
    pass_fds: tuple[int, ...] = ()
    privileges: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """The program's file name, for messages."""
        return Path(self.argv[0]).name


class Child:
    """A running child in a session of its own.

    A thread of its own starts it, collects what it writes to stderr and reaps it. That matters for more
    than stderr: the kernel's parent-death signal fires when the *thread* that forked ends, so the thread
    that forks must outlive the child, while callers may come from short-lived pool threads.
    """

    def __init__(
        self,
        command: Command,
        *,
        stdin: int = subprocess.DEVNULL,
        stdout: int = subprocess.DEVNULL,
        stderr: Listener | int | None = None,
        death_signal: signal.Signals = signal.SIGTERM,
    ) -> None:
        self._command = command
        self._listener = None if isinstance(stderr, int) else stderr or Tail(_TAIL_BYTES)
        self._stderr = stderr if isinstance(stderr, int) else None
        self._started = threading.Event()
        self._ended = threading.Event()
        self._failure: OSError | None = None
        self._process: subprocess.Popen[bytes] | None = None
        self._streams = (stdin, stdout)
        self._death_signal = death_signal
        self._reaping = threading.Lock()
        threading.Thread(target=self._supervise, name=f"child {command.name}", daemon=True).start()
        self._started.wait()
        if self._failure is not None:
            reason = self._failure.strerror
            raise PermanentError(f"{command.argv[0]}: cannot be started: {reason}") from self._failure

    @property
    def process(self) -> subprocess.Popen[bytes]:
        """The child, for its pipes and its pid."""
        assert self._process is not None
        return self._process

    @property
    def voices(self) -> tuple[str, ...]:
        """What its listener kept of stderr, unmasked: to be judged, not shown. Empty where stderr went elsewhere."""
        return self._listener.texts() if self._listener is not None else ()

    @property
    def stderr(self) -> str:
        """The same in one text, secrets masked."""
        return redact("".join(self.voices), self._command.secrets)

    def is_running(self) -> bool:
        """Has it not been reaped yet?"""
        return not self._ended.is_set()

    def wait(self, timeout_s: float | None = None) -> int | None:
        """Its exit status (negative: the signal), None when it still runs after ``timeout_s``."""
        if not self._ended.wait(timeout_s):
            return None
        return self.process.returncode

    def signal(self, number: signal.Signals, *, whole_group: bool = True) -> None:
        """Send a signal to the child (and all its descendants); nothing happens once it is reaped."""
        with self._reaping:
            if self._ended.is_set():
                return
            with contextlib.suppress(ProcessLookupError):
                (os.killpg if whole_group else os.kill)(self.process.pid, number)

    def end(self, grace_s: float = _GRACE_S) -> None:
        """Ask the whole group to end, then make it; returns when it is gone."""
        self.signal(signal.SIGTERM)
        # A halted process takes note of nothing else.
        self.signal(signal.SIGCONT)
        try:
            self._ended.wait(grace_s)
        finally:
            # An impatient second Ctrl-C must not leave the child behind.
            self.signal(signal.SIGKILL)
        self._ended.wait()

    def _supervise(self) -> None:
        try:
            self._process = self._start(self._listener)
        except OSError as error:
            self._failure = error
            if self._listener is not None:
                self._listener.close()
            self._ended.set()
        finally:
            self._started.set()
        if self._process is not None:
            self._listen(self._process)

    def _start(self, listener: Listener | None) -> subprocess.Popen[bytes]:
        command = self._command
        stdin, stdout = self._streams
        try:
            program = shutil.which(command.argv[0], path=command.env.get("PATH"))
            if program is None:
                raise FileNotFoundError(2, "no such program")
            process = subprocess.Popen(
                [*_tied_to_parent(self._death_signal, command.privileges), program, *command.argv[1:]],
                env=dict(command.env),
                stdin=stdin,
                stdout=stdout,
                stderr=self._stderr if listener is None else listener.mouth(),
                bufsize=0,
                pass_fds=command.pass_fds,
                start_new_session=True,
            )
        finally:
            if listener is not None:
                listener.hand_over()
        for pipe in (process.stdin, process.stdout):
            if pipe is not None:
                _enlarge(pipe.fileno())
        return process

    def _listen(self, process: subprocess.Popen[bytes]) -> None:
        pid_fd = os.pidfd_open(process.pid)
        try:
            if self._listener is not None:
                _take_all(self._listener, until=pid_fd)
            select.select([pid_fd], [], [])
            # The leader is dead but not reaped, so its group's number cannot belong to anybody else yet.
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(process.pid, signal.SIGKILL)
            if self._listener is not None:
                _take_rest(self._listener, _GRACE_S)
                self._listener.close()
        finally:
            os.close(pid_fd)
            with self._reaping:
                process.wait()
                self._ended.set()


def _take_all(listener: Listener, *, until: int) -> None:
    """Listen until the descriptor ``until`` becomes readable and nothing more is there."""
    poller = select.poll()
    poller.register(listener.fileno(), select.POLLIN)
    poller.register(until, select.POLLIN)
    while True:
        ready = {fd for fd, _ in poller.poll()}
        if listener.fileno() not in ready:
            return
        if not listener.take():
            poller.unregister(listener.fileno())


def _take_rest(listener: Listener, timeout_s: float) -> None:
    """Take what is left; a stranger that still holds the other end makes us wait no longer than told."""
    while select.select([listener.fileno()], [], [], timeout_s)[0] and listener.take():
        pass


def _tied_to_parent(death_signal: signal.Signals, privileges: Sequence[str]) -> Sequence[str]:
    """A prefix that makes the kernel send ``death_signal`` to the program when we die, even by kill -9.

    ``preexec_fn`` would do it too, but is unsafe in a process that has threads. One setpriv does it all: the
    kernel forgets the signal when the user changes, and setpriv asks for it last.
    """
    setpriv = shutil.which("setpriv")
    if setpriv is None:
        raise FileNotFoundError(2, "the program setpriv (util-linux) is missing")
    return [setpriv, *privileges, "--pdeathsig", death_signal.name.removeprefix("SIG"), "--"]


def _enlarge(pipe: int) -> None:
    """Larger pipes save wake-ups; an ordinary user who has many may be refused them, which is no loss."""
    with contextlib.suppress(OSError):
        fcntl.fcntl(pipe, fcntl.F_SETPIPE_SZ, PIPE_BYTES)

"""Run a program: its output as a stream of bytes, or all of a small output at once."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from types import TracebackType
from typing import Self

from holdfast.errors import ToolError
from holdfast.process.listening import Listener, Tail
from holdfast.process.supervision import PIPE_BYTES, Child, Command

__all__ = ["ChildFailed", "ChildStream", "Command", "Finished", "base_environment", "run", "stream"]

_ALL_STDERR_BYTES = 16 << 20
_INHERITED = ("PATH", "HOME", "TMPDIR")


class ChildFailed(ToolError):
    """A child that ended with an exit status other than 0, or by a signal (negative status)."""

    def __init__(self, message: str, *, hint: str | None = None, status: int = 1, stderr: str = "") -> None:
        super().__init__(message, hint=hint)
        self.status = status
        self.stderr = stderr

    @classmethod
    def of(cls, name: str, status: int, stderr: str) -> Self:
        """Say how ``name`` ended and what it said about the reason."""
        how = f"exit status {status}" if status >= 0 else f"killed by {_signal_name(-status)}"
        return cls(f"{name} failed ({how}): {_reason(stderr)}", status=status, stderr=stderr)


def base_environment(environ: Mapping[str, str] | None = None) -> dict[str, str]:
    """What every child gets and nothing else of ours; messages come in English, so that they can be judged."""
    source = os.environ if environ is None else environ
    return {name: source[name] for name in _INHERITED if name in source} | {"LC_ALL": "C"}


class ChildStream(Iterator[bytes]):
    """The stdout of a running child in pieces of up to 1 MiB.

    It ends normally only when the child ended with status 0: otherwise ChildFailed is raised instead of
    StopIteration, so that nothing built from the pieces can look complete. Whatever else interrupts the
    reading ends the child's whole group.
    """

    def __init__(self, command: Command) -> None:
        self._name = command.name
        self._child = Child(command, stdout=subprocess.PIPE)
        assert self._child.process.stdout is not None
        self._pipe = self._child.process.stdout

    def __next__(self) -> bytes:
        if self._pipe.closed:
            raise StopIteration
        try:
            piece = os.read(self._pipe.fileno(), PIPE_BYTES)
            if piece:
                return piece
            status = self._child.wait()
        except BaseException:
            self.close()
            raise
        self._pipe.close()
        if status:
            raise ChildFailed.of(self._name, status, self.stderr)
        raise StopIteration

    @property
    def stderr(self) -> str:
        """The end of what the child wrote to stderr, secrets masked."""
        return self._child.stderr

    @property
    def heard(self) -> str:
        """The same unmasked: to be judged, not shown. A secret may be a word that the judgement looks for."""
        return "".join(self._child.voices)

    def close(self) -> None:
        """End the child if it still runs; more calls do nothing."""
        self._child.end()
        self._pipe.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def stream(command: Command) -> ChildStream:
    """Start the program now; its stdout comes as the stream is read. PermanentError when it cannot be started."""
    return ChildStream(command)


@dataclass(frozen=True, slots=True)
class Finished:
    """A program that ended: its exit status (negative: the signal), its output, what it said.

    ``stderr`` has secrets masked. ``voices`` is the same unmasked, to be judged and not shown, by process
    where the listener tells processes apart; ``was_cut`` where it said more than was kept.
    """

    name: str
    status: int
    stdout: bytes
    stderr: str
    was_cut: bool
    voices: tuple[str, ...] = field(repr=False)

    def require(self) -> Finished:
        """Itself when the status is 0; raises ChildFailed otherwise."""
        if self.status:
            raise ChildFailed.of(self.name, self.status, self.stderr)
        return self


def run(
    command: Command,
    *,
    stdin: Iterable[bytes] | None = None,
    drain: bool = False,
    timeout_s: float | None = None,
    stderr: Listener | None = None,
) -> Finished:
    """Run a program of small output to its end, whatever its status.

    ``stdin`` is iterated in the calling thread; what it raises ends the child and passes through. A child
    that stops reading early is no error by itself: with ``drain`` the rest of ``stdin`` is still iterated
    (its other consumers, such as a hash, need it), without it is left. Raises ToolError after ``timeout_s``.
    """
    with os.fdopen(os.memfd_create(f"{command.name} output"), "rb") as output:
        source = subprocess.DEVNULL if stdin is None else subprocess.PIPE
        listener = stderr or Tail(_ALL_STDERR_BYTES)
        child = Child(command, stdin=source, stdout=output.fileno(), stderr=listener)
        try:
            if stdin is not None:
                _feed(child, stdin, drain)
            status = child.wait(timeout_s)
            if status is None:
                raise ToolError(f"{command.name}: did not end within {timeout_s:g} s")
        finally:
            child.end()
        output.seek(0)
        return Finished(command.name, status, output.read(), child.stderr, listener.was_cut, child.voices)


def _feed(child: Child, pieces: Iterable[bytes], drain: bool) -> None:
    pipe = child.process.stdin
    assert pipe is not None
    listening = True
    try:
        for piece in pieces:
            listening = listening and _write(pipe.fileno(), piece)
            if not listening and not drain:
                return
    finally:
        pipe.close()


def _write(pipe: int, piece: bytes) -> bool:
    """Write all of ``piece``; False when nobody reads the pipe any more."""
    rest = memoryview(piece)
    try:
        while rest:
            rest = rest[os.write(pipe, rest) :]
    except BrokenPipeError:
        return False
    return True


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"


def _reason(stderr: str, limit: int = 600) -> str:
    """The lines that say why, on one line: those marked as errors, else the last ones."""
    lines = [line.strip() for line in stderr.splitlines() if line.strip()]
    marked = [line for line in lines if "error:" in line or "fatal:" in line or "FATAL:" in line or "ERROR:" in line]
    text = " / ".join((marked or lines)[-3:])
    return text[:limit] if text else "it said nothing"

"""What people and scripts are shown: results on stdout, everything else on stderr."""

from __future__ import annotations

import contextlib
import errno
import json
import os
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import click

from holdfast.errors import HoldfastError, UsageError
from holdfast.redaction import hide_known, redact, traceback_text
from holdfast.redaction.streams import redacted_stream
from holdfast.values.visible import visible

if TYPE_CHECKING:
    from holdfast.values.check import Check

FAILED = 1
MISUSED = 2
INTERRUPTED = 130
_MARKS = {"ok": "✓", "warning": "!", "failed": "✗"}
_OUTPUT_LOST = (errno.ENOSPC, errno.EIO, errno.EBADF, errno.EDQUOT)


def guard_streams() -> None:
    """Let no secret out by what this process prints, whoever prints it; bytes (`fetch`, `decrypt`) pass untouched.

    On stdout only known secrets are looked for: programs read it, and its form must not change.
    """
    if sys.stdout is not None:
        sys.stdout = redacted_stream(sys.stdout, hide_known)
    if sys.stderr is not None:
        sys.stderr = redacted_stream(sys.stderr, redact)


class Failure(Exception):
    """A command that has said everything already and ends with this status."""

    def __init__(self, status: int) -> None:
        super().__init__(status)
        self.status = status


def emit(document: Mapping[str, object]) -> None:
    """Print one JSON object on stdout, the only thing there."""
    click.echo(json.dumps(document, ensure_ascii=False, default=str))


def show(checks: Iterable[Check]) -> None:
    """Print checks for people: a mark, what was seen, and what to do where that is not well."""
    for check in checks:
        click.echo(f"{_MARKS[check.verdict]} {check.name}: {check.text}")
        if check.hint and check.verdict != "ok":
            click.echo(f"    {check.hint}")


@dataclass(frozen=True, slots=True)
class Ending:
    """Says how a command ended that raised, and gives its exit status."""

    is_debug: bool
    is_json: bool

    def of(self, error: BaseException) -> int:
        """One line and a hint on stderr, the same as JSON on stdout where that was asked for."""
        if self.is_debug and not isinstance(error, SystemExit | click.exceptions.Exit):
            click.echo(traceback_text(error), err=True, nl=False)
        if isinstance(error, click.exceptions.Exit):
            return error.exit_code
        if isinstance(error, SystemExit):
            return error.code if isinstance(error.code, int) else FAILED
        if isinstance(error, KeyboardInterrupt | click.Abort):
            # click wraps the interrupt; the use case noted on it what is left behind.
            notes = getattr(error.__cause__ or error, "__notes__", ())
            return self._say("interrupted", " ".join(notes) or None, INTERRUPTED)
        if isinstance(error, click.exceptions.NoArgsIsHelpError):
            click.echo(error.format_message(), err=True)
            return MISUSED
        if isinstance(error, HoldfastError):
            return self._say(str(error), error.hint, MISUSED if isinstance(error, UsageError) else FAILED)
        if isinstance(error, click.UsageError):
            command = error.ctx.command_path if error.ctx else "holdfast"
            return self._say(error.format_message(), f"`{command} --help` shows how to use it.", MISUSED)
        if isinstance(error, click.ClickException):
            return self._say(error.format_message(), None, MISUSED)
        if isinstance(error, BrokenPipeError):
            # Whoever read stdout is gone; what Python still holds for it must not be written at exit.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            return FAILED
        if isinstance(error, OSError) and error.filename is None and error.errno in _OUTPUT_LOST:
            return self._say(
                f"output: {(error.strerror or 'cannot be written').lower()}",
                "What the command did stands, but not all of what it said: `holdfast list` shows what there is.",
                FAILED,
            )
        return self._say(
            f"{type(error).__name__}: {error}",
            "This is a fault in holdfast itself: run again with --debug and report what it prints.",
            FAILED,
        )

    def _say(self, message: str, hint: str | None, status: int) -> int:
        line = redact(" ".join(message.split("\n")))
        hint = redact(hint) if hint else hint
        click.echo(f"holdfast: error: {visible(line)}", err=True)
        if hint:
            click.echo(f"hint: {visible(hint)}", err=True)
        # Where stdout is what failed, the line above has to do.
        with contextlib.suppress(OSError):
            if self.is_json:
                emit({"error": line, "hint": hint, "status": status})
            if sys.stdout is not None:
                sys.stdout.flush()
        return status

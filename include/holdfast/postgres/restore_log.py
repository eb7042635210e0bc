"""What pg_restore --verbose wrote to stderr, cut into messages."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

PREFIX = b"pg_restore: "

_WORTH_KEEPING = re.compile(
    rb"pg_restore: (?:(?:error|warning|fatal|detail|hint): |while [A-Z]|from TOC entry |[A-Z]+:  )"
)
_START = re.compile(r"pg_restore: (?:(error|warning|fatal|detail|hint): )?(.*)")
_ENTRY = re.compile(r"from TOC entry (\d+); \d+ \d+ (.*)")
_PHASE = re.compile(r"while (INITIALIZING|PROCESSING TOC|FINALIZING):")
_IGNORED = re.compile(r"errors ignored on restore: (\d+)")
_COMMAND = "\nCommand was: "


@dataclass(frozen=True, slots=True)
class Message:
    """One complaint of pg_restore or of the server: its text, the command it is about, the archive entry."""

    is_error: bool
    text: str
    command: str
    dump_id: int | None
    entry: str | None


@dataclass(frozen=True, slots=True)
class Log:
    """All messages of one process; ``ignored`` is pg_restore's own count of errors, None without one."""

    messages: tuple[Message, ...]
    ignored: int | None

    @property
    def errors(self) -> tuple[Message, ...]:
        """The messages that are errors."""
        return tuple(message for message in self.messages if message.is_error)


def is_noise(line: bytes) -> bool:
    """Is that line of --verbose only about progress?"""
    return _WORTH_KEEPING.match(line) is None


def read_log(stderr: str) -> Log:
    """Cut what one process wrote into messages.

    A message starts at the program's name and goes on over lines without it (the server's details, the
    command). pg_restore names the archive entry once, ahead of that entry's first message.
    """
    messages: list[Message] = []
    ignored: int | None = None
    dump_id: int | None = None
    entry: str | None = None
    for level, text in _blocks(stderr):
        if found := _ENTRY.match(text):
            dump_id, entry = int(found[1]), found[2]
        elif found := _IGNORED.match(text):
            ignored = (ignored or 0) + int(found[1])
        elif not _PHASE.match(text) and level not in ("detail", "hint"):
            said, _, command = text.partition(_COMMAND)
            is_error = level in ("error", "fatal")
            # The server's own warnings come without their entry.
            where = (dump_id, entry) if is_error else (None, None)
            messages.append(Message(is_error, said, command.strip(), *where))
    return Log(tuple(messages), ignored)


def _blocks(stderr: str) -> Iterator[tuple[str | None, str]]:
    level: str | None = None
    lines: list[str] = []
    for line in stderr.split("\n"):
        found = _START.fullmatch(line)
        if found is None:
            lines.append(line)
            continue
        if any(lines):
            yield level, "\n".join(lines)
        level, lines = found[1], [found[2]]
    if any(lines):
        yield level, "\n".join(lines)

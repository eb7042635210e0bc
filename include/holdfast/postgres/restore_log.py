"""What pg_restore wrote to stderr, cut into messages."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

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
    """All messages; ``ignored`` is pg_restore's own count of the errors it went on after, None without one."""

    messages: tuple[Message, ...]
    ignored: int | None


def read_log(stderr: str) -> Log:
    """Cut stderr into messages.

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
        elif _PHASE.match(text):
            dump_id = entry = None
        elif level in ("detail", "hint") and messages:
            continue
        else:
            said, _, command = text.partition(_COMMAND)
            messages.append(Message(level in ("error", "fatal"), said, command.strip(), dump_id, entry))
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

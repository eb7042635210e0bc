"""Reads the names in an env file. The values pass through without being kept, told or part of any error."""

from __future__ import annotations

import codecs
import re
from dataclasses import dataclass
from pathlib import Path

from holdfast.inventory.credentials import credential_in

_MAX_BYTES = 4 << 20
_START = re.compile(r"[ \t]*(?:export[ \t]+)?(?P<name>[A-Za-z_][A-Za-z0-9_.-]{0,199})[ \t]*=[ \t]*")
_CAPITALS = re.compile(r"[A-Z][A-Z_]*")
_QUOTED = {
    '"': re.compile(r'"(?:[^"\\]|\\.)*"', re.DOTALL),
    "'": re.compile(r"'(?:[^'\\]|\\.)*'", re.DOTALL),
    "`": re.compile(r"`(?:[^`\\]|\\.)*`", re.DOTALL),
}
_REST_OF_LINE = re.compile(r"[^\n]*")
_BLANK_OR_COMMENT = re.compile(r"[ \t]*(?:#[^\n]*)?(?=\n|$)")
# A comment begins behind a space; a quote holds what it does up to its end on the same line.
_COMMENT_OR_QUOTED = re.compile(r"(?<=\s)#.*|\"(?:[^\"\\]|\\.)*\"|'[^']*'|`[^`]*`|\\.")
_OPENING, _CLOSING = "([{", ")]}"
_OPEN_QUOTES = "the value's quotes are not closed as they should be"
_OPEN_VALUE = "the value looks as if it went on in the next lines without quotes"
_NO_NAME = "what stands before = looks like a part of a value over several lines"
_PEM_BEGIN, _PEM_END = "-----BEGIN ", "-----END "


@dataclass(frozen=True, slots=True)
class EnvNames:
    """The names of an env file; or, where it could not be read, none and the reason why."""

    names: frozenset[str]
    unread: str | None = None


def read_env_names(path: Path) -> EnvNames:
    """The names that an env file assigns, never raising: a file that cannot be read is a fact like others.

    Forms: ``NAME=…``, ``export NAME=…``, values in ``'``, ``"`` or backquotes over any number of lines, comments,
    a byte order mark, any line endings.
    """
    try:
        if path.is_dir():
            return _unread("it is a directory")
        if not path.is_file():
            return _unread("it is no regular file" if path.exists() else "there is no such file on this host")
        if path.stat().st_size > _MAX_BYTES:
            return _unread(f"it is larger than {_MAX_BYTES >> 20} MiB")
        content = path.read_bytes()
    except OSError as error:
        return _unread((error.strerror or "it cannot be read").lower())
    return names_in(_text(content))


def names_in(text: str) -> EnvNames:
    """The names that the text of an env file assigns."""
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    names: set[str] = set()
    at = 0
    while at < len(text):
        found = _START.match(text, at)
        if found is None:
            at = _next_line(text, at)
            continue
        # The padding of base64 and base32 ends a line of a value in == or more.
        if text.startswith("=", text.index("=", found.end("name")) + 1) or not _is_name(found["name"]):
            return _unread(f"{_place(text, at)}{_NO_NAME}")
        try:
            end = _value_end(text, found.end())
        except _Open as fault:
            return _unread(f"{_place(text, at)}{fault.reason}")
        names.add(found["name"])
        at = end
    if not names and text.strip():
        return _unread("it holds no line of the form NAME=…")
    return EnvNames(frozenset(names))


def _is_name(text: str) -> bool:
    """A line of a value that should have been quoted may end in =, as base64 does: a token is never repeated."""
    return _CAPITALS.fullmatch(text) is not None or credential_in(text) is None


class _Open(Exception):
    """A value whose end cannot be told: the rest of it might be taken for names."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


def _value_end(text: str, at: int) -> int:
    """Where the line after the value begins; raises _Open where that is not certain."""
    quoted = _QUOTED.get(text[at : at + 1])
    if quoted is None:
        return _unquoted_end(text, at)
    found = quoted.match(text, at)
    if found is None:
        raise _Open(_OPEN_QUOTES)
    if found[0][0] == '"' and "$(" in found[0] and found[0].count("(") > found[0].count(")"):
        raise _Open(_OPEN_VALUE)
    if _BLANK_OR_COMMENT.match(text, found.end()) is not None:
        return _next_line(text, found.end())
    # 'one'two on one line is a mistake without harm; over lines it may have swallowed other names.
    if "\n" in found[0]:
        raise _Open(_OPEN_QUOTES)
    return _unquoted_end(text, found.end())


def _unquoted_end(text: str, at: int) -> int:
    """A backslash at the end of a line, or a PEM block, goes on in the next ones."""
    before = " " if text[at - 1 : at] in (" ", "\t") else ""
    while True:
        line = _line(text, at)
        at = _next_line(text, at)
        if _PEM_BEGIN in line and _PEM_END not in line:
            closing = text.find(_PEM_END, at)
            return len(text) if closing < 0 else _next_line(text, closing)
        _demand_closed(before + line)
        if not line.endswith("\\") or at >= len(text):
            return at


def _demand_closed(line: str) -> None:
    """Raise _Open where a shell, or whoever reads JSON, would go on reading in the next line."""
    bare = _COMMENT_OR_QUOTED.sub("", line).strip()
    if any(quote in bare for quote in _QUOTED):
        raise _Open(_OPEN_QUOTES)
    is_unpaired = sum(bare.count(sign) for sign in _OPENING) > sum(bare.count(sign) for sign in _CLOSING)
    begins = bare.startswith(tuple(_OPENING)) or any(f"${sign}" in bare for sign in _OPENING)
    if "<<" in bare or bare.endswith(tuple(_OPENING)) or (is_unpaired and begins):
        raise _Open(_OPEN_VALUE)


def _line(text: str, at: int) -> str:
    found = _REST_OF_LINE.match(text, at)
    return found[0] if found else ""


def _next_line(text: str, at: int) -> int:
    end = text.find("\n", at)
    return len(text) if end < 0 else end + 1


def _place(text: str, at: int) -> str:
    line = text.count("\n", 0, at) + 1
    return f"line {line}: "


def _text(content: bytes) -> str:
    """Values may hold any bytes; names are ASCII in every encoding that an env file is written in."""
    if content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return content.decode("utf-16", errors="replace")
    return content.decode("utf-8-sig", errors="replace")


def _unread(reason: str) -> EnvNames:
    return EnvNames(frozenset(), reason)

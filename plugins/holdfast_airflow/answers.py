"""What people and pipelines write into the fields of a run's form."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from datetime import datetime

from holdfast.errors import UsageError

_MOST_LINES = 1000
# A quoted name of 63 bytes doubles each quote in it, and a table's may have a schema before it.
LONGEST_NAME = 300
_PART = r'(?:"(?:[^"]|"")+"|[^\W\d][\w$]*)'
_COLUMN = re.compile(_PART)
_TABLE = re.compile(rf"(?:{_PART}\.)?{_PART}")


def text_of(value: object) -> str | None:
    """The text without blanks around it; None where nothing was written, or something else than a text."""
    return value.strip() or None if isinstance(value, str) else None


def line_of(value: object, field: str, *, longest: int) -> str | None:
    """One line without blanks around it, None where nothing was written.

    Raises UsageError for more than ``longest`` characters, and for what is no text or hides something: line breaks
    and control characters could draw another page than the one that people believe they read.
    """
    if value is not None and not isinstance(value, str):
        raise UsageError(f"{field}: is no text")
    text = text_of(value)
    if text is not None and len(text) > longest:
        raise UsageError(f"{field}: is {len(text)} characters long, more than {longest}")
    if text is not None and not text.isprintable():
        raise UsageError(f"{field}: holds a line break or another character that cannot be seen")
    return text


def moment_of(value: object, field: str) -> datetime | None:
    """A date and time with its UTC offset, None where nothing was written; raises UsageError for anything else."""
    text = line_of(value, field, longest=40)
    if text is None:
        return None
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise UsageError(f"{field}: {text!r} is no date and time", hint="Write 2026-11-22T22:00+01:00.") from None
    if moment.tzinfo is None:
        raise UsageError(f"{field}: {text!r} has no UTC offset", hint="Write 2026-11-22T22:00+01:00.")
    return moment


def lines_of(value: object, field: str) -> tuple[str, ...]:
    """What stands on each line, or in a JSON array of texts; blanks around each are dropped, and empty ones.

    Raises UsageError for anything else, and for more than a person would write.
    """
    given = _array(value.strip(), field) if isinstance(value, str) else value if value is not None else []
    if not isinstance(given, list) or not all(isinstance(line, str) for line in given):
        raise UsageError(f"{field}: neither lines nor a JSON array of texts")
    lines = tuple(line.strip() for line in given if line.strip())
    if len(lines) > _MOST_LINES:
        raise UsageError(f"{field}: {len(lines)} lines, at most {_MOST_LINES} can be given")
    return lines


def _array(text: str, field: str) -> object:
    if not text.startswith("["):
        return text.split("\n")  # a value may hold what else counts as the end of a line
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        raise UsageError(
            f"{field}: begins like a JSON array, but is none", hint='Write one per line, or ["a", "b"].'
        ) from None


def table_of(value: object, field: str) -> str:
    """A table's name as it stands in SQL, perhaps with its schema; raises UsageError for anything else."""
    return _name_of(value, field, _TABLE, 'a table such as public."User"')


def column_of(value: object, field: str) -> str:
    """A column's name as the catalog has it, read as it stands in SQL; raises UsageError for anything else."""
    name = _name_of(value, field, _COLUMN, 'a column such as id or "createdAt"')
    return name[1:-1].replace('""', '"') if name.startswith('"') else name


def _name_of(value: object, field: str, form: re.Pattern[str], example: str) -> str:
    name = line_of(value, field, longest=LONGEST_NAME)
    if name is None:
        raise UsageError(f"{field}: is missing", hint=f"Name {example}.")
    if form.fullmatch(name) is None:
        raise UsageError(f"{field}: {name!r} is no name", hint=f"Name {example}; put in quotes what is no plain word.")
    return name


def one_of[Choice: str](value: object, field: str, choices: Sequence[Choice]) -> Choice:
    """The choice that was made, the first one where none was; raises UsageError for any other."""
    if value is None:
        return choices[0]
    for choice in choices:
        if value == choice:
            return choice
    raise UsageError(f"{field}: {value!r:.100} is none of {', '.join(choices)}")


def number_of(value: object, field: str, *, usual: int, highest: int) -> int:
    """A whole number from 1 on, ``usual`` where none was given; raises UsageError for anything else."""
    if value is None:
        return usual
    if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= highest:
        raise UsageError(f"{field}: {value!r:.100} is no whole number from 1 to {highest}")
    return value

"""Five-field cron expressions, checked for form and range; when they come due is the scheduler's to say."""

from __future__ import annotations

import re

_MONTHS = ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"]
_DAYS = ["sun", "mon", "tue", "wed", "thu", "fri", "sat"]
# Lowest and highest number of each field, and the names that stand for numbers in it.
_FIELDS: tuple[tuple[int, int, dict[str, int]], ...] = (
    (0, 59, {}),
    (0, 23, {}),
    (1, 31, {}),
    (1, 12, {name: number for number, name in enumerate(_MONTHS, 1)}),
    (0, 7, {name: number for number, name in enumerate(_DAYS)}),
)
_PART = re.compile(r"(?:\*|(\w+)(?:-(\w+))?)(?:/([1-9][0-9]?))?")


def is_valid(text: str) -> bool:
    """Whether ``text`` is five fields of minute, hour, day, month and weekday, each within its range."""
    fields = text.split()
    return len(fields) == len(_FIELDS) and all(
        _fits(part, *bounds) for field, bounds in zip(fields, _FIELDS, strict=True) for part in field.split(",")
    )


def _fits(part: str, lowest: int, highest: int, names: dict[str, int]) -> bool:
    found = _PART.fullmatch(part)
    if found is None:
        return False
    numbers = [_number(word, names) for word in found.group(1, 2) if word is not None]
    return all(lowest <= number <= highest for number in numbers) and numbers == sorted(numbers)


def _number(word: str, names: dict[str, int]) -> int:
    return int(word) if word.isdecimal() else names.get(word.lower(), -1)

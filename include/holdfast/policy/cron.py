"""Five-field cron expressions, checked for form and range, and for a day that exists; the rest is the scheduler's."""

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
_LONGEST_MONTHS = (31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)


def is_valid(text: str) -> bool:
    """Whether ``text`` is five fields of minute, hour, day, month and weekday, each within its range."""
    fields = text.split()
    return len(fields) == len(_FIELDS) and all(
        _fits(part, *bounds) for field, bounds in zip(fields, _FIELDS, strict=True) for part in field.split(",")
    )


def ever_comes(text: str) -> bool:
    """Whether a valid expression names any day at all: not ``0 2 31 2 *``.

    As cron has it, a weekday that is named comes whatever the day of the month says.
    """
    fields = text.split()
    if "*" not in fields[4].split(","):
        return True
    days, months = (
        {number for part in field.split(",") for number in _numbers(part, *bounds)}
        for field, bounds in zip(fields[2:4], _FIELDS[2:4], strict=True)
    )
    return any(min(days) <= _LONGEST_MONTHS[month - 1] for month in months)


def fields_of(text: str) -> tuple[tuple[int, ...], ...]:
    """What a valid expression names: minutes, hours, days, months and weekdays, each ascending, Sunday as 0."""
    named = [
        {number for part in field.split(",") for number in _numbers(part, *bounds)}
        for field, bounds in zip(text.split(), _FIELDS, strict=True)
    ]
    named[4] = {number % 7 for number in named[4]}
    return tuple(tuple(sorted(numbers)) for numbers in named)


def needs_both_days(text: str) -> bool:
    """Whether a day must be named by both of the expression's fields of days; else one of the two will do.

    A field with an asterisk for every day leaves all to the other. One with a step, such as ``*/2``, does not, as the
    scheduler has it.
    """
    days, weekdays = text.split()[2], text.split()[4]
    named = fields_of(text)
    is_every = "*" in days.split(",") or "*" in weekdays.split(",")
    return is_every or (len(named[2]) == 31 and "*" in weekdays) or (len(named[4]) == 7 and "*" in days)


def _numbers(part: str, lowest: int, highest: int, names: dict[str, int]) -> range:
    """What one part of a field stands for; a single number with a step means from there on."""
    found = _PART.fullmatch(part)
    if found is None:
        return range(0)
    first, last, step = found.groups()
    start = lowest if first is None else _number(first, names)
    if last is not None:
        highest = _number(last, names)
    elif first is not None and step is None:
        highest = start
    return range(start, highest + 1, int(step or 1))


def _fits(part: str, lowest: int, highest: int, names: dict[str, int]) -> bool:
    found = _PART.fullmatch(part)
    if found is None:
        return False
    numbers = [_number(word, names) for word in found.group(1, 2) if word is not None]
    return all(lowest <= number <= highest for number in numbers) and numbers == sorted(numbers)


def _number(word: str, names: dict[str, int]) -> int:
    return int(word) if word.isdecimal() else names.get(word.lower(), -1)

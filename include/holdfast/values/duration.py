"""Spans of time as policies write them: ``24h``, ``35d``, ``2w``, ``12mo``, ``1y``."""

from __future__ import annotations

import calendar
import re
from dataclasses import dataclass
from datetime import datetime, timedelta

from holdfast.errors import UsageError

PATTERN = r"^[1-9][0-9]{0,5}(s|m|h|d|w|mo|y)$"
_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800}
_MONTHS = {"mo": 1, "y": 12}
_MONTH_SECONDS = 30 * 86_400


@dataclass(frozen=True, slots=True)
class Duration:
    """A positive span: whole calendar months, or seconds; never both."""

    text: str
    months: int
    seconds: int

    @classmethod
    def parse(cls, text: str) -> Duration:
        """Read one span; raises UsageError that shows the accepted forms."""
        if not re.fullmatch(PATTERN, text):
            raise UsageError(f"duration {text!r}: expected a number with s, m, h, d, w, mo or y, such as 35d or 12mo")
        digits = text.rstrip("abcdefghijklmnopqrstuvwxyz")
        count, unit = int(digits), text[len(digits) :]
        return cls(text, count * _MONTHS.get(unit, 0), count * _SECONDS.get(unit, 0))

    def before(self, moment: datetime) -> datetime:
        """The moment that lies this span earlier; a month's missing day becomes its last one."""
        try:
            return _months_before(moment, self.months) if self.months else moment - timedelta(seconds=self.seconds)
        except (OverflowError, ValueError):
            return datetime.min.replace(tzinfo=moment.tzinfo)

    def after(self, moment: datetime) -> datetime:
        """The moment that lies this span later; a month's missing day becomes its last one."""
        try:
            return _months_before(moment, -self.months) if self.months else moment + timedelta(seconds=self.seconds)
        except (OverflowError, ValueError):
            return datetime.max.replace(tzinfo=moment.tzinfo)

    @property
    def as_seconds(self) -> int:
        """How long it is where no date is given: a month counts as thirty days."""
        return self.seconds or self.months * _MONTH_SECONDS

    def __str__(self) -> str:
        return self.text


def _months_before(moment: datetime, months: int) -> datetime:
    year, month0 = divmod(moment.year * 12 + moment.month - 1 - months, 12)
    last_day = calendar.monthrange(year, month0 + 1)[1]
    return moment.replace(year=year, month=month0 + 1, day=min(moment.day, last_day))

"""When a schedule was due and will be due: by the clock on the wall, also where that jumps."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

from holdfast.policy import cron

# Nine years hold a 29 February also across a century that has none in its hundredth year.
_FURTHEST_DAYS = 9 * 366


@dataclass(frozen=True, slots=True)
class Slot:
    """One time of a schedule, as two instants in UTC that are the same on nearly all days.

    A time that the clock shows twice in autumn begins with the first and is due with the second; one that it leaves
    out in spring lies an hour before or behind the gap. Whoever schedules may take either.
    """

    opens_at: datetime
    due_at: datetime


def last_slot(schedule: str, timezone: str, at: datetime) -> Slot | None:
    """The last time of a valid cron expression that was due at ``at`` or before; None where there was none."""
    plan, zone = _plan(schedule), ZoneInfo(timezone)
    try:
        today = at.astimezone(zone).date()
        for days in range(-1, _FURTHEST_DAYS):
            day = today - timedelta(days=days)
            if not plan.names(day):
                continue
            due = [slot for slot in plan.slots_of(day, zone, newest_first=True) if slot.due_at <= at]
            if due:
                return max(due, key=lambda slot: slot.due_at)
    except OverflowError:
        return None  # at either end of the calendar
    return None


def next_slot(schedule: str, timezone: str, after: datetime) -> Slot | None:
    """The first time of a valid cron expression that begins after ``after``."""
    plan, zone = _plan(schedule), ZoneInfo(timezone)
    try:
        today = after.astimezone(zone).date()
        for days in range(_FURTHEST_DAYS):
            day = today + timedelta(days=days)
            if not plan.names(day):
                continue
            coming = [slot for slot in plan.slots_of(day, zone, newest_first=False) if slot.opens_at > after]
            if coming:
                return min(coming, key=lambda slot: slot.opens_at)
    except OverflowError:
        return None  # at either end of the calendar
    return None


@dataclass(frozen=True, slots=True)
class _Plan:
    """A cron expression, read."""

    minutes: tuple[int, ...]
    hours: tuple[int, ...]
    days: frozenset[int]
    months: frozenset[int]
    weekdays: frozenset[int]
    needs_both: bool

    def names(self, day: date) -> bool:
        """Whether the expression comes on a day at all."""
        if day.month not in self.months:
            return False
        is_day, is_weekday = day.day in self.days, day.isoweekday() % 7 in self.weekdays
        return (is_day and is_weekday) if self.needs_both else (is_day or is_weekday)

    def slots_of(self, day: date, zone: ZoneInfo, *, newest_first: bool) -> Iterator[Slot]:
        times = [(hour, minute) for hour in self.hours for minute in self.minutes]
        for hour, minute in reversed(times) if newest_first else times:
            wall = datetime(day.year, day.month, day.day, hour, minute, tzinfo=zone)
            instants = sorted(wall.replace(fold=fold).astimezone(UTC) for fold in (0, 1))
            yield Slot(*instants)


@lru_cache(maxsize=256)
def _plan(schedule: str) -> _Plan:
    minutes, hours, days, months, weekdays = cron.fields_of(schedule)
    both = cron.needs_both_days(schedule)
    return _Plan(minutes, hours, frozenset(days), frozenset(months), frozenset(weekdays), both)

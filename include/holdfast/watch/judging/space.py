"""Space that runs out, by what is free now and by where the trend leads; and growth that is out of the ordinary."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from datetime import timedelta
from itertools import pairwise

from holdfast.policy.alerts import Severity
from holdfast.values import figures
from holdfast.watch.facts import SpaceSample
from holdfast.watch.judging.case import Case, Findings
from holdfast.watch.judging.robust import Trend, trend

_PAGE_DAYS, _NOTIFY_DAYS = 3, 14
_DAY = 86_400.0
_LEAST_FREE = 256 << 20
_LOOKED_BACK = timedelta(days=21)
_LEAST, _LEAST_SPAN = 6, timedelta(days=5)
_STEADY = 0.7
_WEEK, _A_DAY = timedelta(days=7), timedelta(days=1)
_MUCH, _SHARE = 3.0, 0.25
_WEEKS_BEFORE = 3
_NO_MATTER_BYTES = 64 << 20

Line = list[tuple[float, float]]


def judge_space(case: Case) -> Findings:
    """space_short for the store's disk and for the policy's limit, and growth."""
    samples = sorted((each for each in case.facts.space if case.is_past(each.at)), key=lambda each: each.at)
    if not samples:
        return
    yield from _disk(case, samples)
    yield from _limit(case, samples)
    yield from _growth(case, samples)


def _disk(case: Case, samples: Sequence[SpaceSample]) -> Findings:
    free = samples[-1].free_bytes
    if free is None:
        return
    # The next backups must fit beside those that expire only afterwards.
    largest = max((point.bytes for point in case.facts.points), default=0)
    least = max(_LEAST_FREE, 2 * largest)
    if free < least:
        text = (
            f"the store's disk has {figures.size(free)} left, less than the {figures.size(least)} that two backups need"
        )
        yield from _short(case, "disk", text, "page")
        return
    line = [(each.at.timestamp(), float(each.free_bytes)) for each in samples if each.free_bytes is not None]
    days = _days_until(line, 0.0)
    if days is not None and days < _NOTIFY_DAYS:
        text = f"the store's disk has {figures.size(free)} left and, as it goes, is full in about {_days(days)}"
        yield from _short(case, "disk", text, "page" if days < _PAGE_DAYS else "notify")


def _limit(case: Case, samples: Sequence[SpaceSample]) -> Findings:
    limit = case.policy.alerts.space_limit if case.policy.alerts is not None else None
    if limit is None:
        return
    held = samples[-1].held_bytes
    holds = f"the store holds {figures.size(held)} of the {figures.size(int(limit))} that alerts.space_limit allows"
    if held >= limit:
        yield from _short(case, "limit", holds, "page")
        return
    days = _days_until([(each.at.timestamp(), float(each.held_bytes)) for each in samples], float(limit))
    if days is not None and days < _NOTIFY_DAYS:
        text = f"{holds}, and, as it goes, reaches it in about {_days(days)}"
        yield from _short(case, "limit", text, "page" if days < _PAGE_DAYS else "notify")


def _short(case: Case, subject: str, text: str, severity: Severity) -> Findings:
    yield case.finding(
        "space_short",
        subject,
        text,
        meaning="A store that is full takes no backup; what is in it stays restorable.",
        advice=f"{case.command('expire', '--dry-run')} shows what can go and why the rest stays; never delete by hand. "
        f"Then more space, or a shorter `keep`. {case.who('on_call')} can add space.",
        severity=severity,
        dag="expire",
    )


def _days_until(line: Line, limit: float) -> float | None:
    """In how many days the trend comes to the limit; None where it is not steady, or does not.

    A fall of the last three days in a row counts as well: what fills a disk in a week moves no median of three.
    """
    if not line:
        return None
    last = line[-1][0]
    long = [each for each in line if last - each[0] <= _LOOKED_BACK.total_seconds()]
    found = [_sustained(line, long, limit)]
    if len(line) >= 4:
        short = line[-4:]
        steps = [later[1] - first[1] for first, later in pairwise(short)]
        is_towards = all(step * (limit - line[-1][1]) > 0 for step in steps)
        days = _reach(trend(short), limit, line[-1][1]) if is_towards and last - short[0][0] >= 1.5 * _DAY else None
        found.append(days if days is not None and days < _PAGE_DAYS else None)
    return min((days for days in found if days is not None), default=None)


def _sustained(line: Line, long: Line, limit: float) -> float | None:
    """By the long trend, or by the last week where that was slower: what has come to rest fills nothing."""
    days, (last, value) = _reach(_steady(long), limit, line[-1][1]), line[-1]
    week_ago = next((each for each in reversed(line) if last - each[0] >= _WEEK.total_seconds()), None)
    if days is None or week_ago is None:
        return days
    pace = (value - week_ago[1]) / (last - week_ago[0]) * _DAY
    return max(days, (limit - value) / pace) if pace * (limit - value) > 0 else None


def _steady(line: Line) -> Trend | None:
    if len(line) < _LEAST or line[-1][0] - line[0][0] < _LEAST_SPAN.total_seconds():
        return None
    found = trend(line)
    return found if found is not None and found.steadiness >= _STEADY else None


def _reach(found: Trend | None, limit: float, value: float) -> float | None:
    """Days from the last value to the limit at the trend's pace."""
    if found is None or found.slope == 0 or (limit - value) / found.slope < 0:
        return None
    return (limit - value) / found.slope / _DAY


def _growth(case: Case, samples: Sequence[SpaceSample]) -> Findings:
    """The last week against each of the weeks before it."""
    newest = samples[-1]
    ends = [newest]
    while (start := _about_a_week_before(samples, ends[-1])) is not None:
        ends.append(start)
    held = [_level(samples, end) for end in ends]
    weeks = [later - before for later, before in pairwise(held)]
    if len(weeks) <= _WEEKS_BEFORE:
        return
    grown, earlier = weeks[0], weeks[1:]
    usual = max(*earlier, 0)
    before = held[1]
    if grown <= max(_MUCH * usual, _SHARE * before, _NO_MATTER_BYTES):
        return
    yield case.finding(
        "growth",
        "held",
        f"what the store holds grew by {figures.size(grown)} to {figures.size(held[0])} in the last week, "
        f"while it grew by {figures.size(usual)} at most in each of the {len(earlier)} weeks before",
        since=newest.at - _WEEK,
        meaning="At this pace space and restore times will not be what they were planned for.",
        advice=f"{case.command('list')} and {case.command('media list')} show what has grown. Was it an import, "
        f"this ends by itself within a week; else {case.who('database_admin')} looks which table or folder grows.",
        dag="expire",
    )


def _about_a_week_before(samples: Sequence[SpaceSample], end: SpaceSample) -> SpaceSample | None:
    first = bisect_left(samples, -_WEEK - _A_DAY, key=lambda each: each.at - end.at)
    last = bisect_right(samples, -_WEEK + _A_DAY, key=lambda each: each.at - end.at)
    return min(samples[first:last], key=lambda each: abs(end.at - each.at - _WEEK), default=None)


def _level(samples: Sequence[SpaceSample], end: SpaceSample) -> int:
    """What was held around then: of three days the one in the middle, for one alone may be before an expire."""
    last = bisect_right(samples, end.at, key=lambda each: each.at)
    return sorted(each.held_bytes for each in samples[max(0, last - 3) : last])[(min(last, 3)) // 2]


def _days(days: float) -> str:
    return f"{days:.0f} d" if days >= 2 else f"{days * 24:.0f} h"

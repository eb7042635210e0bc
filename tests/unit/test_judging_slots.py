"""Times of schedules: as the scheduler computes them, and where the clock jumps."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from croniter import croniter  # type: ignore[import-untyped]
from hypothesis import given
from hypothesis import strategies as st

from holdfast.policy.slots import Slot, last_slot, next_slot


def field(lowest: int, highest: int) -> st.SearchStrategy[str]:
    """One field of an expression; not a range of one number, which croniter reads as one that goes round."""
    number = st.integers(lowest, highest)
    two = st.tuples(number, number).filter(lambda pair: pair[0] < pair[1])
    return st.one_of(
        st.just("*"),
        number.map(str),
        st.integers(1, 9).map(lambda step: f"*/{step}"),
        two.map(lambda pair: f"{pair[0]}-{pair[1]}"),
        two.map(lambda pair: f"{pair[0]},{pair[1]}"),
    )


EXPRESSIONS = st.tuples(field(0, 59), field(0, 23), field(1, 28), field(1, 12), field(0, 6)).map(" ".join)
MOMENTS = st.integers(0, 900_000).map(lambda minutes: datetime(2026, 1, 1, tzinfo=UTC) + timedelta(minutes=minutes))


@given(expression=EXPRESSIONS, at=MOMENTS)
def test_slots_are_those_of_the_scheduler(expression: str, at: datetime) -> None:
    """In a zone whose clock never jumps, both say the same, also where days and weekdays are both named."""
    last, following = last_slot(expression, "UTC", at), next_slot(expression, "UTC", at)
    assert last is not None and following is not None
    before = croniter(expression, at + timedelta(seconds=1)).get_prev(datetime)
    assert (last.opens_at, last.due_at) == (before, before)
    assert following.due_at == croniter(expression, at).get_next(datetime)


@pytest.mark.parametrize(
    ("noon", "opens", "due"),
    [
        (datetime(2026, 3, 29, 12), datetime(2026, 3, 29, 0, 30), datetime(2026, 3, 29, 1, 30)),
        (datetime(2026, 3, 30, 12), datetime(2026, 3, 30, 0, 30), datetime(2026, 3, 30, 0, 30)),
        (datetime(2026, 10, 25, 12), datetime(2026, 10, 25, 0, 30), datetime(2026, 10, 25, 1, 30)),
        (datetime(2026, 10, 26, 12), datetime(2026, 10, 26, 1, 30), datetime(2026, 10, 26, 1, 30)),
    ],
)
def test_a_time_in_the_hour_of_the_change(noon: datetime, opens: datetime, due: datetime) -> None:
    """Left out in spring and shown twice in autumn: it may be met at either instant, and is due with the later one."""
    expected = Slot(opens.replace(tzinfo=UTC), due.replace(tzinfo=UTC))
    assert last_slot("30 2 * * *", "Europe/Berlin", noon.replace(tzinfo=UTC)) == expected
    assert next_slot("30 2 * * *", "Europe/Berlin", noon.replace(tzinfo=UTC) - timedelta(hours=20)) == expected


def test_rare_days_and_the_ends_of_the_calendar() -> None:
    """A 29 February is years away, across 2100 eight of them; before and after all time there is nothing."""
    leap = "0 2 29 2 *"
    assert last_slot(leap, "UTC", datetime(2027, 1, 1, tzinfo=UTC)) == _at(2024)
    assert next_slot(leap, "UTC", datetime(2097, 1, 1, tzinfo=UTC)) == _at(2104)
    for zone in ("America/Los_Angeles", "Asia/Tokyo"):
        assert last_slot(leap, zone, datetime.min.replace(tzinfo=UTC)) is None
        assert next_slot(leap, zone, datetime.max.replace(tzinfo=UTC)) is None


def _at(year: int) -> Slot:
    moment = datetime(year, 2, 29, 2, tzinfo=UTC)
    return Slot(moment, moment)

"""Spans of time as policies write them."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.errors import UsageError
from holdfast.values.duration import Duration


@given(st.integers(1, 999_999), st.sampled_from(["s", "m", "h", "d", "w", "mo", "y"]))
def test_duration_lies_before_and_prints_itself(count: int, unit: str) -> None:
    """Every span reaches into the past, however large, and prints as it was written."""
    span = Duration.parse(f"{count}{unit}")
    now = datetime(2026, 11, 22, tzinfo=UTC)
    assert span.before(now) < now
    assert str(span) == f"{count}{unit}"


def test_months_are_calendar_months() -> None:
    """A month before the 31st is the last day of a shorter month."""
    end_of_march = datetime(2024, 3, 31, 12, tzinfo=UTC)
    assert Duration.parse("1mo").before(end_of_march) == datetime(2024, 2, 29, 12, tzinfo=UTC)
    assert Duration.parse("12mo").before(end_of_march) == datetime(2023, 3, 31, 12, tzinfo=UTC)
    assert Duration.parse("35d").before(end_of_march) == end_of_march - timedelta(days=35)


@pytest.mark.parametrize("text", ["", "0d", "-1d", "1", "d", "1.5h", "1 d", "1moo", "9999999d", "1d\n"])
def test_malformed_duration_is_refused(text: str) -> None:
    """What is not exactly a span is refused."""
    with pytest.raises(UsageError):
        Duration.parse(text)

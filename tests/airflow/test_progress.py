"""What a task's log says while the work goes on."""

from __future__ import annotations

import logging

import pytest

from holdfast_airflow.progress import LoggedProgress

MIB = 1 << 20


class Clock:
    """A clock that the test moves."""

    now_s = 0.0

    def __call__(self) -> float:
        return self.now_s


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def progress(clock: Clock, caplog: pytest.LogCaptureFixture) -> LoggedProgress:
    caplog.set_level(logging.INFO, "test")
    return LoggedProgress(logging.getLogger("test"), clock)


def test_line_at_most_every_ten_seconds(
    progress: LoggedProgress, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    """Thousands of pieces make few lines."""
    progress.begin("dump")
    for _ in range(3500):
        clock.now_s += 0.01
        progress.advance(MIB)
    progress.end("12 tables, 34 rows")
    lines = [record.getMessage() for record in caplog.records]
    assert lines[0] == "dump: started"
    assert lines[-1] == "dump: done in 35.0 s, 12 tables, 34 rows"
    assert 2 <= len(lines[1:-1]) <= 3
    assert lines[1].endswith(", 100 MiB/s")


def test_no_line_before_five_percent(progress: LoggedProgress, clock: Clock, caplog: pytest.LogCaptureFixture) -> None:
    """A slow, long phase is told in steps of its total."""
    progress.begin("verify", 1000 * MIB)
    for _ in range(1000):
        clock.now_s += 10
        progress.advance(MIB)
    lines = [record.getMessage() for record in caplog.records]
    assert len(lines) == 1 + 20
    assert lines[1].startswith("verify: 50.0 MiB (5 %), ")


def test_estimate_never_says_done_too_early(
    progress: LoggedProgress, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    """More bytes than were foreseen still read as under way."""
    progress.begin("dump", MIB)
    clock.now_s = 11
    progress.advance(5 * MIB)
    assert "(99 %)" in caplog.records[-1].getMessage()


def test_line_says_how_long_the_rest_will_take(
    progress: LoggedProgress, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    """Bytes, share, rate and the time that is left, by the rate so far."""
    progress.begin("restore", 1000 * MIB)
    clock.now_s = 20
    progress.advance(200 * MIB)
    assert caplog.records[-1].getMessage() == "restore: 200 MiB (20 %), 10.0 MiB/s, about 1 min 20 s left"
    clock.now_s = 99
    progress.advance(799 * MIB)
    assert caplog.records[-1].getMessage().endswith(", about 1 s left")


@pytest.mark.parametrize("total", [None, MIB])
def test_no_rest_is_told_where_none_is_known(
    progress: LoggedProgress, clock: Clock, caplog: pytest.LogCaptureFixture, total: int | None
) -> None:
    """Without a total, or beyond an estimate."""
    progress.begin("dump", total)
    clock.now_s = 11
    progress.advance(5 * MIB)
    assert "left" not in caplog.records[-1].getMessage()

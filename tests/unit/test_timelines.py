"""History files are read as the server reads them, and tell under which name a segment stands."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.errors import IntegrityError
from holdfast.values.lsn import Lsn
from holdfast.wal.timelines import TimelineHistory

SIZE = 1 << 24
# What a server that was promoted twice has written.
WRITTEN = """1\t0/5000110\tno recovery target specified

2\t0/7A00000\tbefore 2026-11-22 16:00:00+00
"""
THIRD = TimelineHistory(3, ((1, Lsn(0x5000110)), (2, Lsn(0x7A00000))))


def test_history_file_of_a_server_is_read() -> None:
    """Comments and empty lines are passed over."""
    assert TimelineHistory.parse(3, f"# told by hand\n\n{WRITTEN}") == THIRD
    assert THIRD.parent == 2
    assert THIRD.ancestors == (1, 2)
    assert THIRD.begins_at == Lsn(0x7A00000)


def test_first_timeline_has_no_history() -> None:
    """It begins at the beginning."""
    first = TimelineHistory.parse(1, "")
    assert (first.parent, first.begins_at, first.ancestors) == (None, Lsn(0), ())
    assert first.segment(7, SIZE).name == "000000010000000000000007"


@pytest.mark.parametrize(
    ("timeline", "text"),
    [
        (3, "2\t0/5000110\tx\n1\t0/7000000\tx\n"),
        (3, "1\t0/7000000\tx\n2\t0/5000110\tx\n"),
        (3, "3\t0/5000110\tx\n"),
        (3, "0\t0/5000110\tx\n"),
        (3, "1 5000110 x\n"),
        (3, "one\t0/5000110\n"),
        (2, ""),
        (0, ""),
    ],
)
def test_history_that_a_server_would_not_read_is_refused(timeline: int, text: str) -> None:
    """Out of order, without positions, or naming no parent."""
    with pytest.raises(IntegrityError):
        TimelineHistory.parse(timeline, text)


def test_byte_belongs_to_the_timeline_that_wrote_it() -> None:
    """The position of a switch is the first of the younger one."""
    assert THIRD.timeline_at(Lsn(0x500010F)) == 1
    assert THIRD.timeline_at(Lsn(0x5000110)) == 2
    assert THIRD.timeline_at(Lsn(0x7A00000)) == 3


def test_segment_of_a_switch_stands_under_the_younger_name() -> None:
    """Only there the elder's may serve in its place."""
    assert [segment.name[:8] for segment in THIRD.candidates(4, SIZE)] == ["00000001"]
    assert [segment.name[:8] for segment in THIRD.candidates(5, SIZE)] == ["00000002", "00000001"]
    assert [segment.name[:8] for segment in THIRD.candidates(6, SIZE)] == ["00000002"]
    assert [segment.name[:8] for segment in THIRD.candidates(7, SIZE)] == ["00000003", "00000002"]
    assert [segment.name[:8] for segment in THIRD.candidates(8, SIZE)] == ["00000003"]


def test_segment_in_which_two_switches_lie_has_three_names() -> None:
    """A server that was promoted twice within one segment."""
    twice = TimelineHistory(3, ((1, Lsn(5 * SIZE + 100)), (2, Lsn(5 * SIZE + 200))))
    assert [segment.timeline for segment in twice.candidates(5, SIZE)] == [3, 2, 1]
    assert twice.segment(5, SIZE).timeline == 3


def test_what_was_written_after_a_switch_is_not_on_the_way() -> None:
    """Up to the switch itself it is."""
    assert THIRD.includes(1, Lsn(0x5000110))
    assert not THIRD.includes(1, Lsn(0x5000111))
    assert THIRD.includes(3, Lsn(1 << 60))
    assert not THIRD.includes(4, Lsn(0))


@st.composite
def histories(draw: st.DrawFn) -> TimelineHistory:
    ancestors = sorted(draw(st.sets(st.integers(1, 1000), max_size=6)))
    left = sorted(draw(st.lists(st.integers(0, 1 << 50), min_size=len(ancestors), max_size=len(ancestors))))
    timeline = ancestors[-1] + draw(st.integers(1, 5)) if ancestors else 1
    return TimelineHistory(timeline, tuple(zip(ancestors, map(Lsn, left), strict=True)))


@given(histories())
def test_history_is_read_as_it_is_written_and_recorded(history: TimelineHistory) -> None:
    """By the server as text, in our records as pairs."""
    text = "".join(f"{timeline}\t{lsn}\twhy\n" for timeline, lsn in history.switches)
    assert TimelineHistory.parse(history.timeline, text) == history
    assert TimelineHistory.recalled(history.timeline, history.recorded()) == history


@given(histories(), st.integers(0, 1 << 30))
def test_first_candidate_holds_its_segment_and_only_those_of_its_switches_follow(
    history: TimelineHistory, number: int
) -> None:
    """Each is on the way and no candidate was left before the segment begins."""
    found = history.candidates(number, SIZE)
    assert found[0].timeline == history.timeline_at(Lsn((number + 1) * SIZE - 1))
    order = [*history.ancestors, history.timeline]
    assert [order.index(segment.timeline) for segment in found] == sorted(
        (order.index(segment.timeline) for segment in found), reverse=True
    )
    for segment in found[1:]:
        left = history.left_at(segment.timeline)
        assert left is not None
        assert left >= segment.start

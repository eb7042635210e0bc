"""Where the streamer begins, decided from what is stored, what the slot holds and what the server still has."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from holdfast.streaming.marks import thinned
from holdfast.streaming.start import Start, plan_start
from holdfast.values.lsn import Lsn
from holdfast.values.wal_names import WalSegment
from holdfast.wal.timelines import TimelineHistory

SIZE = 1 << 24
FIRST = TimelineHistory(1)
SECOND = TimelineHistory(2, ((1, Lsn(5 * SIZE + 100)),))


def names(*numbers: int, timeline: int = 1) -> frozenset[str]:
    return frozenset(WalSegment(timeline, number, SIZE).name for number in numbers)


def start(
    held: int,
    stored: frozenset[str] = frozenset(),
    on_server: frozenset[str] | None = frozenset(),
    begun: frozenset[str] = frozenset(),
    history: TimelineHistory = FIRST,
) -> Start:
    return plan_start(history, Lsn(held * SIZE + 40), SIZE, stored=stored, begun=begun, on_server=on_server)


def test_a_new_store_begins_with_what_the_slot_holds() -> None:
    assert start(1) == Start(1, 1)


def test_what_is_stored_is_not_received_again() -> None:
    """The slot may be behind: its move comes after the storing."""
    assert start(3, names(3, 4, 5)) == Start(6, 3)


def test_what_the_store_lacks_before_the_slot_is_wanted_where_the_server_has_it() -> None:
    assert start(6, names(2, 3), names(4, 5, 6)).number == 4
    assert start(6, names(2, 3), None).number == 4


def test_what_nobody_has_is_a_gap() -> None:
    """The part of it that the server still has is taken."""
    found = start(7, names(2, 3), names(6, 7))
    assert found.number == 6
    assert found.missing == (WalSegment(1, 4, SIZE), WalSegment(1, 5, SIZE))
    assert found.gap is not None and "new base backup" in found.gap
    assert start(7, names(2, 3)).missing == (WalSegment(1, 4, SIZE), WalSegment(1, 6, SIZE))


def test_a_gap_that_was_passed_is_not_told_again() -> None:
    """The slot's own segment is stored, or its beginning is."""
    assert start(7, names(2, 3, 7)) == Start(8, 7)
    assert start(7, names(2, 3), begun=names(7)) == Start(7, 7)


def test_a_beginning_says_what_is_wanted() -> None:
    assert start(7, begun=names(4)).missing == (WalSegment(1, 4, SIZE), WalSegment(1, 6, SIZE))


def test_segments_of_a_timeline_that_was_left_do_not_count() -> None:
    """Timeline 1 was left in segment 5: what was stored of it from there on is not on the server's way."""
    assert start(4, names(3, 4, 5, 6, 7), history=SECOND) == Start(5, 4)
    assert start(4, names(3, 4, 5, 6) | names(5, 6, timeline=2), history=SECOND) == Start(7, 4)


def test_the_slot_waits_for_what_is_underway() -> None:
    """Segments are stored side by side: one that is not must hold back the slot, though later ones are."""
    found = start(5, names(5, 6, 7))
    assert found.number == 8
    assert found.unstored([5]) == 5
    assert found.unstored([]) == 8
    # What lies before a gap is not the slot's any more, and must not keep it from moving.
    assert start(11, names(4, 5), names(11)).unstored([5]) == 11


@given(st.sets(st.integers(1, 30)), st.sets(st.integers(1, 30)), st.integers(1, 30))
def test_nothing_is_skipped_in_silence(stored: set[int], on_server: set[int], held: int) -> None:
    """Between the newest stored segment up to the slot and the start, all is stored or said to be missing."""
    found = start(held, names(*stored), names(*on_server))
    before = max((number for number in stored if number <= held), default=held - 1)
    missing = range(0) if found.missing is None else range(found.missing[0].number, found.missing[1].number + 1)
    assert all(number in stored or number in missing for number in range(before + 1, found.number))
    assert found.number not in stored
    assert not set(missing) & stored


@given(st.lists(st.integers(), max_size=500), st.integers(2, 50))
def test_thinning_keeps_the_ends_and_the_order(items: list[int], most: int) -> None:
    kept = thinned(list(enumerate(items)), most)
    assert len(kept) == min(len(items), most)
    assert list(kept) == sorted(set(kept))
    if items:
        assert (kept[0], kept[-1]) == ((0, items[0]), (len(items) - 1, items[-1]))

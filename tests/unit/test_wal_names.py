"""Names of segments and history files, for every size that a server's segments may have."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.errors import UsageError
from holdfast.values.lsn import Lsn
from holdfast.values.wal_names import WalSegment, history_name, is_segment_name, parse_history_name

sizes = st.sampled_from([1 << power for power in range(20, 31)])
timelines = st.integers(1, (1 << 32) - 1)
lsns = st.integers(0, (1 << 64) - (1 << 30) - 1).map(Lsn)


@given(timelines, lsns, sizes)
def test_segment_is_read_as_it_is_named(timeline: int, lsn: Lsn, size: int) -> None:
    """It holds the position that it was asked for."""
    segment = WalSegment.at(timeline, lsn, size)
    assert WalSegment.parse(segment.name, size) == segment
    assert is_segment_name(segment.name)
    assert segment.start <= lsn < segment.end
    assert segment.end - segment.start == size


@given(timelines, lsns, sizes)
def test_next_segment_begins_where_one_ends(timeline: int, lsn: Lsn, size: int) -> None:
    """Names order as positions do."""
    segment = WalSegment.at(timeline, lsn, size)
    following = segment.next()
    assert following.start == segment.end
    assert following.previous() == segment
    assert segment.name < following.name


@pytest.mark.parametrize(
    ("lsn", "size_mb", "name"),
    [
        # As pg_walfile_name of servers with that --wal-segsize has it.
        ("0/1000028", 16, "000000010000000000000001"),
        ("1/0", 16, "000000010000000100000000"),
        ("0/FFFFFFFF", 16, "0000000100000000000000FF"),
        ("0/FFFFFFFF", 1, "000000010000000000000FFF"),
        ("16/B374D848", 1024, "000000010000001600000002"),
    ],
)
def test_names_as_servers_give_them(lsn: str, size_mb: int, name: str) -> None:
    """The second half of the number counts within 4 GiB."""
    assert WalSegment.at(1, Lsn.parse(lsn), size_mb << 20).name == name


@pytest.mark.parametrize(
    ("name", "size_mb"),
    [
        ("000000010000000000000100", 16),
        ("000000010000000000000004", 1024),
        ("000000000000000000000001", 16),
        ("00000001000000000000000a", 16),
        ("00000001000000000000001", 16),
        ("000000010000000000000001.partial", 16),
    ],
)
def test_name_of_no_segment_is_refused(name: str, size_mb: int) -> None:
    """Of that size, at least."""
    with pytest.raises(UsageError, match="WAL segment"):
        WalSegment.parse(name, size_mb << 20)


@pytest.mark.parametrize("size", [0, 1 << 19, 1 << 31, (1 << 24) + 1])
def test_impossible_segment_size_is_refused(size: int) -> None:
    """A power of two from 1 MiB to 1 GiB."""
    with pytest.raises(UsageError, match="segment size"):
        WalSegment.at(1, Lsn(0), size)


def test_first_segment_has_none_before_it() -> None:
    """Segment 0 is never written, and nothing lies before it."""
    with pytest.raises(UsageError, match="none before"):
        WalSegment(1, 0, 1 << 24).previous()


@given(st.integers(2, (1 << 32) - 1))
def test_history_file_is_read_as_it_is_named(timeline: int) -> None:
    """Of every timeline but the first, which has none."""
    assert parse_history_name(history_name(timeline)) == timeline


@pytest.mark.parametrize("name", ["00000001.history", "0000002.history", "00000002.history.zst", "00000002"])
def test_other_names_are_no_history_files(name: str) -> None:
    """Timeline 1 came of no other."""
    assert parse_history_name(name) is None

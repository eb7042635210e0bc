"""Which folders are best listed together, and from where on a server is asked to list."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.storage.key_order import listed_from
from holdfast.watch.reading.folders import tail_of

NAMES = [f"2026{number:04}" for number in range(400)]


@pytest.mark.parametrize(
    ("wanted", "start"),
    [
        ([], None),
        (NAMES[-1:], None),
        (NAMES[:1], None),
        (NAMES[-2:], NAMES[-2]),
        (NAMES[-15:], NAMES[-15]),
        (NAMES[-15:] + NAMES[:15], NAMES[-15]),
        (NAMES[-15:] + NAMES[-30::-30], NAMES[-60]),
        (NAMES[::30], None),
        (NAMES, NAMES[0]),
    ],
)
def test_the_tail_that_is_listed_at_once(wanted: list[str], start: str | None) -> None:
    """It holds many of the wanted; those that lie far apart are looked into one by one."""
    assert tail_of(NAMES, set(wanted)) == start


_text = st.text("a0.-/", max_size=8)


@given(prefix=st.sampled_from(["", "a/", "a/0/"]), after=_text, key=_text)
def test_no_key_behind_is_left_out(prefix: str, after: str, key: str) -> None:
    """Whatever is asked for lies before every key that sorts behind, in key order and folder by folder."""
    start = listed_from(prefix, prefix + after)
    if start is None:
        return
    assert start.startswith(prefix) and prefix + after >= start
    if prefix + key > prefix + after:
        assert prefix + key > start
        assert (prefix + key).split("/") > start.split("/")

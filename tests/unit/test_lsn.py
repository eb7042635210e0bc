"""LSNs are read and printed as PostgreSQL does, and nothing else passes for one."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.errors import UsageError
from holdfast.values.lsn import Lsn

LARGEST = (1 << 64) - 1


@given(st.integers(0, LARGEST))
def test_every_lsn_is_read_as_it_is_printed(value: int) -> None:
    """Printing and reading are each other's opposite."""
    assert Lsn.parse(str(Lsn(value))) == Lsn(value)


@pytest.mark.parametrize(("text", "value"), [("0/0", 0), ("16/B374D848", 0x16B374D848), ("ff/1", 0xFF00000001)])
def test_lsn_of_the_manual(text: str, value: int) -> None:
    """Its halves are not padded, and lower case is read."""
    assert Lsn.parse(text).value == value
    assert str(Lsn(value)) == text.upper()


@pytest.mark.parametrize("text", ["", "0", "/", "0/", "/0", "G/0", "0/123456789", "-1/0", "0/0/0", "0x1/0"])
def test_what_is_no_lsn_is_refused(text: str) -> None:
    """The message quotes it."""
    with pytest.raises(UsageError, match="not of the form"):
        Lsn.parse(text)


@given(st.integers(0, LARGEST), st.integers(0, LARGEST))
def test_lsns_order_and_differ_as_their_values(one: int, other: int) -> None:
    """A difference is in bytes, and may be negative."""
    assert (Lsn(one) < Lsn(other)) == (one < other)
    assert Lsn(one) - Lsn(other) == one - other


@pytest.mark.parametrize("value", [-1, LARGEST + 1])
def test_lsn_out_of_range_is_refused(value: int) -> None:
    """There are 64 bits."""
    with pytest.raises(UsageError, match="out of range"):
        Lsn(value)
    with pytest.raises(UsageError, match="out of range"):
        Lsn(LARGEST) + 1

"""Bech32 carries any bytes and refuses every mistyping."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.crypto import bech32


@given(st.binary(max_size=200), st.sampled_from(["age", "age1pq", "AGE-SECRET-KEY-"]))
def test_round_trip(data: bytes, prefix: str) -> None:
    """What is written is read back, in the case of its prefix."""
    text = bech32.encode(prefix, data)
    assert bech32.decode(text) == (prefix, data)
    assert text.isupper() == prefix.isupper()


@given(st.binary(min_size=32, max_size=32), st.data())
def test_one_wrong_character_is_refused(data: bytes, draw: st.DataObject) -> None:
    """The checksum finds any single substitution."""
    text = bech32.encode("age", data)
    place = draw.draw(st.integers(4, len(text) - 1))
    other = draw.draw(st.sampled_from("qpzry9x8gf2tvdw0s3jn54khce6mua7l").filter(lambda c: c != text[place]))
    with pytest.raises(ValueError, match="checksum"):
        bech32.decode(text[:place] + other + text[place + 1 :])


@pytest.mark.parametrize(
    "text", ["", "1", "age1", "1qqqqqqqq", "age1qqqqq", "ageqqqqqqqq", "Age1QQqqqqqqq", "age1bioooooo"]
)
def test_malformed_text_is_refused(text: str) -> None:
    """Too short, without prefix or separator, mixed case, foreign characters."""
    with pytest.raises(ValueError):
        bech32.decode(text)


def test_unused_bits_must_be_zero() -> None:
    """One value has one spelling: a last group with a stray bit is refused though its checksum is right."""
    values = [0, 1]
    checksum = bech32._checksum("age", values)
    text = "age1" + "".join("qpzry9x8gf2tvdw0s3jn54khce6mua7l"[value] for value in values + checksum)
    with pytest.raises(ValueError, match="not zero"):
        bech32.decode(text)

"""A condition stays within its parentheses, or is refused before any database sees it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from holdfast.errors import UsageError
from holdfast.operation.rows.predicate import demand_one_expression
from holdfast.operation.rows.request import RowsRequest


@pytest.mark.parametrize(
    "text",
    [
        "id = 1",
        "\"Role\" IN ('student', 'it''s; -- not (a comment')",
        "note ~ '\\d+' AND (a OR (b))",
        '"a;""(" > 3',
        "created_at >= now() - interval '1 day'",
        "name LIKE '100%'",
        "date '2026-01-01' < day",
    ],
)
def test_takes_one_expression(text: str) -> None:
    """Quoted text may hold anything."""
    demand_one_expression(text)


@pytest.mark.parametrize(
    "text",
    [
        "", "  ", ")", "a) OR (b", "(a", "a; b", "a -- b", "a /* b */", "$1", "$$a$$", "'a", '"a', "E'a\\'' OR b",
        "u&'a'", "a\0b", "e'x'", "\\x", "x" * 5000, "B'1'", "'a'' OR b", "U&\"a\" = 1",
    ],
)  # fmt: skip
def test_refuses_what_could_end_elsewhere(text: str) -> None:
    """Comments, semicolons, dollar quotes, strings with escapes, and parentheses that do not match."""
    with pytest.raises(UsageError, match="predicate: "):
        demand_one_expression(text)


@given(st.text(alphabet="a'\"()$;-/* \\eE", max_size=30))
def test_what_is_taken_is_balanced_outside_of_quotes(text: str) -> None:
    """Counted by hand, letter by letter."""
    try:
        demand_one_expression(text)
    except UsageError:
        return
    quote, depth = "", 0
    for letter in text:
        if quote:
            quote = "" if letter == quote else quote
        elif letter in "'\"":
            quote = letter
        else:
            assert letter not in ";$\\"
            depth += {"(": 1, ")": -1}.get(letter, 0)
            assert depth >= 0
    assert (quote, depth) == ("", 0)


def test_a_request_has_keys_or_a_predicate() -> None:
    """One of both; values of one column come together."""
    for wrong in ({}, {"keys": [("id", "1")], "predicate": "true"}, {"keys": [("id", "1")], "limit": 0}):
        with pytest.raises(ValidationError):
            RowsRequest.model_validate({"table": "course", **wrong})
    request = RowsRequest(table="course", keys=(("a", "1"), ("b", "2"), ("a", "3"), ("a", "1")))
    assert request.wanted == {"a": ("1", "3"), "b": ("2",)}
    with pytest.raises(UsageError, match="zero byte"):
        RowsRequest(table="course", keys=(("a", "\0"),)).demand_readable()

"""A typed condition is one expression: whatever passes stays within the parentheses that it is put into."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.errors import UsageError
from holdfast.postgres.predicates import Predicate

WHOLE = [
    "status IS NULL",
    "\"createdAt\" >= '2026-01-02' AND (a OR b)",
    "name LIKE '50%'",
    "note = 'a;b -- c /* d */ )'",
    "note = E'it\\'s; )'",
    "note = $$ ; ) ' $$",
    "note = $q$ $$ ) $q$",
    'a$b$c = 1 AND "x;)""(" = 2',
    "tags[1] = 'x' AND id IN (1, 2)",
    "EXISTS (SELECT FROM other o WHERE o.id = id)",
    "note = 'a\\b'",
    "note = U&'\\0041'",
    "note LIKE '{x} %s %'",
]

BROKEN = {
    "": "is empty",
    "  \n": "is empty",
    "true; DROP TABLE x": "a semicolon",
    "true -- x": "a comment",
    "true /* x */": "a comment",
    "true) OR (true": "closes nothing",
    "(true": "lacks a closing",
    "(a[1)]": "closes nothing",
    "note = 'x": "a string that does not end",
    # Where standard_conforming_strings is off, the string goes on behind the quote.
    "note = 'x\\' OR true OR note = '": "a backslash before a quote",
    'x"': "a quoted name",
    '"" = 1': "a quoted name",
    "id = $1": "a parameter",
    "note = $a$ x": "does not end",
    'U&"\\0061" = 1': 'U&"…"',
    "SELECT true": "it is a statement",
    "delete FROM x": "it is a statement",
    "a = '\0'": "a control character",
    "a = '\ud800'": "a control character",
    "a = 1 OR " * 1000 + "b": "characters long",
}


@pytest.mark.parametrize("text", WHOLE)
def test_predicate_that_is_one_expression_is_taken_as_it_is(text: str) -> None:
    """What it says reaches PostgreSQL unchanged, in parentheses."""
    predicate = Predicate.parse(f" {text} ")
    assert predicate.text == text
    assert predicate.sql.as_string(None) == f"({text}\n)"


@pytest.mark.parametrize("text", BROKEN)
def test_predicate_that_is_anything_else_is_refused(text: str) -> None:
    """The refusal says what is wrong with it."""
    with pytest.raises(UsageError, match=r"^condition: ") as refusal:
        Predicate.parse(text)
    assert BROKEN[text] in refusal.value.message


def test_predicate_names_what_it_calls_as_postgresql_looks_it_up() -> None:
    """Folded to lower case unless quoted; column names and types without parentheses are none."""
    predicate = Predicate.parse("Now() > at AND pg_catalog.\"Do It\" (1) AND note::VARCHAR(3) = 'f(x)' AND (a)")
    assert predicate.called == ("now", "Do It", "varchar", "and")


@given(st.text(alphabet="a'\"$();-/*\\[]eEuU&_ \n1", max_size=40))
def test_no_predicate_ends_its_own_parentheses(text: str) -> None:
    """An independent reader, which only skips quotes, finds every mark of an accepted text closed and harmless."""
    try:
        accepted = Predicate.parse(text).text
    except UsageError:
        return
    depth = 0
    for each in _unquoted(accepted):
        depth += (each in "([") - (each in ")]")
        assert depth >= 0
        assert each != ";"
    assert depth == 0


@given(st.text(max_size=60))
def test_no_text_makes_the_reader_fail_otherwise(text: str) -> None:
    """It accepts or refuses; nothing else is raised."""
    try:
        Predicate.parse(text)
    except UsageError as error:
        assert error.hint


def _unquoted(text: str) -> str:
    """The text without its strings and quoted names, read letter by letter as the manual describes them."""
    left, place = [], 0
    while place < len(text):
        letter = text[place]
        before = text[place - 1] if place else " "
        starts_word = not (before.isalnum() or before in "_$")
        if letter in "'\"":
            takes_escapes = letter == "'" and re.search(r"(?<![A-Za-z_$])[0-9]*[eE]$", text[:place]) is not None
            place = _end_of_quotes(text, place, takes_escapes=takes_escapes)
        elif letter == "$" and starts_word and (tag := text[place : text.index("$", place + 1) + 1]):
            place = text.index(tag, place + len(tag)) + len(tag)
        else:
            left.append(letter)
            place += 1
    return "".join(left)


def _end_of_quotes(text: str, place: int, *, takes_escapes: bool) -> int:
    quote, place = text[place], place + 1
    while True:
        if (takes_escapes and text[place] == "\\") or text[place : place + 2] == quote * 2:
            place += 2
        elif text[place] == quote:
            return place + 1
        else:
            place += 1

"""Links of codes: what counts as the right one, and how a wrong one is told without the code in it."""

from __future__ import annotations

from urllib.parse import quote, quote_plus

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.drill.checks.links import is_link_of, told
from holdfast.drill.checks.naming import masked, some

TEMPLATE = "https://campus.example/verify/{code}"


@pytest.mark.parametrize(
    ("link", "code"),
    [
        ("https://campus.example/verify/ABC-123", "ABC-123"),
        ("https://campus.example/verify/A%2FB", "A/B"),
        ("https://campus.example/verify/A%2fB", "A/B"),
        ("https://campus.example/verify/A/B", "A/B"),
        ("https://campus.example/verify/%C3%BC", "ü"),
        ("https://campus.example/verify/ü", "ü"),
        ("https://campus.example/verify/a%3Ab", "a:b"),
        ("https://campus.example/verify/a:b", "a:b"),
    ],
)
def test_right_links(link: str, code: str) -> None:
    assert is_link_of(link, TEMPLATE, code)


@pytest.mark.parametrize(
    ("link", "code"),
    [
        ("https://campus.example/verify/ABC-124", "ABC-123"),
        ("https://campus.example/verify/abc-123", "ABC-123"),
        ("http://campus.example/verify/ABC-123", "ABC-123"),
        ("https://campus.example/verify/ABC-123 ", "ABC-123"),
        ("https://campus.example/verify/ABC-123?x", "ABC-123"),
        ("https://old.example/verify/ABC-123", "ABC-123"),
        ("https://campus.example/verify/A#1", "A#1"),
        ("https://campus.example/verify/A 1", "A 1"),
        ("https://campus.example/verify/A+1", "A 1"),
        ("", "ABC-123"),
    ],
)
def test_wrong_links(link: str, code: str) -> None:
    assert not is_link_of(link, TEMPLATE, code)


def test_form_encoding_counts_in_a_query_string() -> None:
    assert is_link_of("https://campus.example/verify?code=A+1", "https://campus.example/verify?code={code}", "A 1")


@given(st.text(min_size=1))
def test_every_code_has_its_encoded_link(code: str) -> None:
    """Surrogates apart, which no database holds."""
    try:
        link = TEMPLATE.replace("{code}", quote(code, safe=""))
    except UnicodeEncodeError:
        return
    assert is_link_of(link, TEMPLATE, code)
    assert "{code}" in told(link, code) or len(link) > 120
    assert quote_plus(code) not in told(link, code) or len(code) < 8


@pytest.mark.parametrize(
    ("link", "expected"),
    [
        ("https://old.example/v/SECRET-1", "https://old.example/v/{code}"),
        ("https://me:pw@old.example/v/OTHER-22", "https://old.example/… without the code"),
        ("OTHER-22", "no link"),
        ("http://[bad", "no link"),
    ],
)
def test_wrong_link_is_told_without_a_code(link: str, expected: str) -> None:
    assert told(link, "SECRET-1") == expected


def test_masked_codes() -> None:
    assert [masked(code) for code in ("CERT-2026-001", "ABCD", "A", "", "\x1b[31mABCDEF")] == [
        "CERT…", "AB…", "…", "…", "?[31…",
    ]  # fmt: skip


def test_many_names_are_cut() -> None:
    assert some(["a", "b"]) == "a, b"
    assert some([str(number) for number in range(12)], 2) == "0, 1 and 10 more"

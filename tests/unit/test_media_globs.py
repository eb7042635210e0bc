"""Patterns of paths."""

from __future__ import annotations

import re
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from holdfast.errors import UsageError
from holdfast.media.globs import Glob

FITS = [
    ("a/b", "a/b"),
    ("a/b", "a/b/"),
    ("a/b", "a/b/c/d"),
    ("./a/b/", "a/b/c"),
    ("*.jpg", "x.jpg"),
    ("*", "x/y/z"),
    ("a/*/c", "a/bb/c"),
    ("a/**/c", "a/c"),
    ("a/**/c", "a/b/b/c"),
    ("**/c", "c"),
    ("**/c", "a/b/c"),
    ("**/**/c", "c"),
    ("**a*b", "a/xab"),
    ("a*b**c/*d*", "axb/b/c/xdx/e"),
    ("**.jpg", "a/b/c.jpg"),
    ("a/**", "a/b/c"),
    ("a*/", "ab/"),
    (r"a\*b", "a*b"),
    (r"a\b", r"a\b"),
    (r"a\\*", r"a\c"),
    ("a[1]?", "a[1]?"),
    ("*", "line\nbreak"),
    ("a/*", "a/\udcff"),
]
MISSES = [
    ("a/b", "a/bc"),
    ("a/b", "a"),
    ("*.jpg", "a/x.jpg"),
    ("*.jpg", "x.JPG"),
    ("a/*/c", "a/b/b/c"),
    ("**/c", "bc"),
    ("a/**/c", "ac"),
    ("a.b", "axb"),
    (r"a\*b", "axb"),
    ("a[1]", "a1"),
    ("a?", "ab"),
]


@pytest.mark.parametrize(("pattern", "path"), FITS)
def test_glob_fits(pattern: str, path: str) -> None:
    """A pattern means the path, or a folder above it; whatever it begins with is a true beginning."""
    glob, raw = Glob.parse(pattern), path.encode("utf-8", "surrogateescape")
    assert glob.fits(raw)
    assert raw.startswith(glob.prefix)


@pytest.mark.parametrize(("pattern", "path"), MISSES)
def test_glob_misses(pattern: str, path: str) -> None:
    """Names are case-sensitive, a star stays within one name, other signs are themselves."""
    assert not Glob.parse(pattern).fits(path.encode())


def test_literal_is_known_as_such() -> None:
    """A path without a pattern can be looked up; an escaped star is none."""
    assert Glob.parse("a/b").literal == b"a/b"
    assert Glob.parse(r"a/\*").literal == b"a/*"
    assert Glob.parse("a/*").literal is None


@pytest.mark.parametrize("pattern", ["", "/", "/etc", "./"])
def test_pattern_outside_is_refused(pattern: str) -> None:
    """Absolute paths and empty ones mean nothing in a snapshot."""
    with pytest.raises(UsageError, match="relative"):
        Glob.parse(pattern)


@pytest.mark.parametrize("pattern", ["*a" * 12 + "*b", "**a" * 12 + "**b", "**/a*" * 12 + "b", "*a**" * 8 + "b"])
def test_no_pattern_takes_long(pattern: str) -> None:
    """Many stars before something that is not there: an answer at once, not after years."""
    glob = Glob.parse(pattern)
    started = time.monotonic()
    assert not glob.fits(b"a" * 250)
    assert not glob.fits(b"a/" * 1000 + b"a" * 255)
    assert time.monotonic() - started < 5


def plainly(pattern: str) -> re.Pattern[str]:
    """What a pattern means, told in the simplest way, however long it takes."""
    text, at_name, expression = pattern, True, ""
    while text:
        if text.startswith("**/"):
            expression += "(?:.*/)?" if at_name else ".*/"
            text, at_name = text[3:], True
        elif text.startswith("**"):
            expression += ".*"
            text, at_name = text[2:], False
        elif text.startswith("*"):
            expression += "[^/]*"
            text, at_name = text[1:], False
        else:
            expression += re.escape(text[0])
            text, at_name = text[1:], text[0] == "/"
    return re.compile(expression + "(?:/.*)?", re.DOTALL)


@settings(max_examples=3000)
@given(
    parts=st.lists(st.sampled_from(["*", "**", "**/", "/", "a", "b", "ab"]), min_size=1, max_size=9),
    path=st.text("ab/", max_size=14),
)
def test_quick_patterns_mean_what_plain_ones_do(parts: list[str], path: str) -> None:
    """Never trying a star again loses no path."""
    pattern = "".join(parts).strip("/")
    if pattern:
        assert Glob.parse(pattern).fits(path.encode()) == bool(plainly(pattern).fullmatch(path))

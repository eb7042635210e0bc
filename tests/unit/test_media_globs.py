"""Patterns of paths."""

from __future__ import annotations

import pytest

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

"""Searching a listing, and laying two beside each other."""

from __future__ import annotations

import json
from collections.abc import Iterable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.media import listing as listing_module
from holdfast.media.differences import Difference, differences
from holdfast.media.entries import path_of, text_field
from holdfast.media.globs import Glob
from holdfast.media.listing import ListingSearch, ListingWriter
from holdfast.media.selection import Selection

NAMES = st.binary(min_size=1, max_size=4).filter(lambda name: b"/" not in name and b"\0" not in name)
PATHS = st.sets(st.lists(NAMES, min_size=1, max_size=3).map(b"/".join), max_size=40)


def line(path: bytes, sha256: str = "0" * 64, **more: object) -> bytes:
    """A file's line."""
    rest = json.dumps({"type": "file", "size": 1, **more, "sha256": sha256, "shard": "s", "offset": 0})
    return ("{" + text_field("path", path) + "," + rest[1:]).encode()


def search(lines: Iterable[bytes]) -> ListingSearch:
    """A listing that holds ``lines``, ready to be searched."""
    writer = ListingWriter()
    stored = b"".join(writer.frames(sorted(lines, key=path_of)))
    return ListingSearch(lambda offset, length: stored[offset : offset + length], writer.facts(0, ""))


@pytest.fixture(autouse=True)
def small_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Blocks of a few lines, so that short listings have many."""
    monkeypatch.setattr(listing_module, "_BLOCK_BYTES", 300)
    monkeypatch.setattr(listing_module, "_READ_BYTES", 1000)


@given(PATHS, st.binary(max_size=5))
def test_below_finds_what_begins_so(paths: set[bytes], prefix: bytes) -> None:
    """Every path with that beginning is found, in order, and no other."""
    listing_module._BLOCK_BYTES, listing_module._READ_BYTES = 300, 1000
    found = [path_of(line) for line in search(map(line, paths)).below(prefix)]
    assert found == sorted(path for path in paths if path.startswith(prefix))


@given(PATHS, st.sampled_from(["*", "**", "a", "a/*", "*/b", "**/b", "a/**"]))
def test_selection_is_what_globs_fit(paths: set[bytes], pattern: str) -> None:
    """Looking up and searching ranges finds exactly what matching every path would."""
    paths |= {b"a", b"b", b"a-x", b"c/b", b"c/d/b"}
    glob = Glob.parse(pattern)
    selection = Selection(search(map(line, paths)), [glob])
    meant = sorted(path for path in paths if glob.fits(path))
    assert [entry.path for entry in selection.entries()] == meant
    assert selection.unmet == ([] if meant else [pattern])


def test_selection_gives_each_path_once_and_tells_unmet_patterns() -> None:
    """Patterns that mean the same path give it once; one that means nothing is told."""
    selection = Selection(search(map(line, [b"a/b", b"a/c"])), [*map(Glob.parse, ["a/*", "a/b", "A"])])
    assert [entry.path for entry in selection.entries()] == [b"a/b", b"a/c"]
    assert selection.unmet == ["A"]


def test_differences_of_every_kind() -> None:
    """Content, type, target and mode count; times do not, nor what is not stored."""
    old = [line(b"same"), line(b"gone"), line(b"content"), line(b"mode", mode=0o644), line(b"touched", mtime_ns=1)]
    new = [line(b"same"), line(b"new"), line(b"content", "1" * 64), line(b"mode", mode=0o600), line(b"touched")]
    old += [b'{"path":"link","type":"link","target":"a"}', b'{"path":"pipe","type":"special"}']
    new += [b'{"path":"link","type":"link","target":"b"}', line(b"pipe"), b'{"path":"z","type":"vanished"}']
    assert list(differences(search(old), search(new))) == [
        Difference("changed", b"content"),
        Difference("removed", b"gone"),
        Difference("changed", b"link"),
        Difference("changed", b"mode"),
        Difference("added", b"new"),
        Difference("added", b"pipe"),
    ]


@given(PATHS, PATHS)
def test_differences_are_those_of_sets(old: set[bytes], new: set[bytes]) -> None:
    """Of two sets of paths, the differences are what sets say."""
    found = list(differences(search(map(line, old)), search(map(line, new))))
    assert {each.path for each in found if each.kind == "added"} == new - old
    assert {each.path for each in found if each.kind == "removed"} == old - new
    assert len(found) == len(new ^ old)

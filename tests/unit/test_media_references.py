"""References and files laid beside each other: the same as with sets, but none of them is kept."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from holdfast.backup.media.references import beside

paths = st.sets(st.text("ab/.é", min_size=1, max_size=4).map(str.encode), max_size=12)
sorts = st.sampled_from(["file", "link", "vanished", "directory", "special"])


@given(references=paths, files=st.dictionaries(st.text("ab/.é", min_size=1, max_size=4).map(str.encode), sorts))
def test_as_with_sets(references: set[bytes], files: dict[bytes, str]) -> None:
    found = list(beside(sorted(references), sorted(files.items())))
    by_kind = {
        kind: {path for path, what in found if what == kind} for kind in ("both", "missing", "unreferenced", "lost")
    }
    there = {path for path, kind in files.items() if kind in ("file", "link")}
    gone = {path for path, kind in files.items() if kind == "vanished"}
    assert by_kind["both"] == references & there
    assert by_kind["lost"] == references & gone
    assert by_kind["missing"] == references - there - gone
    assert by_kind["unreferenced"] == {path for path, kind in files.items() if kind == "file"} - references
    assert len(found) == len(references) + len(by_kind["unreferenced"])

"""Which media files a drill restores, and which missing ones it holds against the restore point."""

from __future__ import annotations

from hypothesis import example, given
from hypothesis import strategies as st

from holdfast.drill.checks.media_references import Compared
from holdfast.drill.checks.sampling import Sample
from holdfast.manifest.model import MediaReferences
from holdfast.media.entries import Entry


def sampled(files: dict[bytes, tuple[int, int, bool]], size: int, seed: str = "seed") -> list[bytes]:
    """``files``: size, mtime and whether the database refers to it, by path."""
    sample = Sample(size, seed)
    for path, (size_bytes, mtime_ns, is_referenced) in files.items():
        sample.add(Entry(path, "file", size=size_bytes, mtime_ns=mtime_ns), is_referenced=is_referenced)
    return sample.paths()


Files = st.dictionaries(
    st.binary(min_size=1, max_size=8),
    st.tuples(st.integers(0, 1 << 40), st.integers(0, 1 << 60), st.booleans()),
    max_size=60,
)


@example({bytes([number]): (0, 0, False) for number in range(12)}, 10)
@given(Files, st.integers(1, 80))
def test_sample_is_as_large_as_it_can_be_and_always_the_same(
    files: dict[bytes, tuple[int, int, bool]], size: int
) -> None:
    chosen = sampled(files, size)
    assert len(chosen) == len(set(chosen)) == min(size, len(files)) and set(chosen) <= files.keys()
    assert chosen == sampled(dict(reversed(files.items())), size)


@given(Files, st.integers(10, 80))
def test_largest_and_newest_are_always_chosen(files: dict[bytes, tuple[int, int, bool]], size: int) -> None:
    if not files:
        return
    chosen = {files[path] for path in sampled(files, size)}
    assert max(each[0] for each in files.values()) in {each[0] for each in chosen}
    assert max(each[1] for each in files.values()) in {each[1] for each in chosen}


def test_referenced_files_are_preferred_and_others_not_forgotten() -> None:
    files = {f"{number:04}".encode(): (5, 5, number % 2 == 0) for number in range(1000)}
    chosen = sampled(files, 100)
    referenced = sum(files[path][2] for path in chosen)
    assert 80 <= referenced <= 96
    assert sampled(files, 100, "other seed") != chosen


def recorded(missing: int, named: tuple[str, ...], total: int) -> MediaReferences:
    return MediaReferences(
        total=total, missing=missing, missing_paths=named, unreferenced=0, unreferenced_paths=()
    )  # fmt: skip


def compared(record: MediaReferences | None, kinds: dict[bytes, str]) -> Compared:
    found = Compared(record)
    for path, kind in kinds.items():
        found.add(path, kind)
    return found


def test_known_and_new_losses_are_told_apart() -> None:
    outcome = compared(
        recorded(2, ("a", "b"), 4), {b"a": "missing", b"c": "missing", b"d": "both", b"e": "unreferenced", b"f": "both"}
    ).outcome()
    assert [finding.text.split(":")[0] for finding in outcome.findings] == ["media file c"]
    assert outcome.notes[0].endswith("when the backup was taken: a") and len(outcome.notes) == 1
    assert outcome.facts == {"media_references": 4, "media_references_missing": 2}


def test_losses_that_the_manifest_only_counts_are_held_against_nobody() -> None:
    """It names a thousand; as long as there are no more than it counted, they are those."""
    kinds = {str(number).encode(): "missing" for number in range(5)}
    assert compared(recorded(5, ("0", "1"), 5), kinds).outcome().passed
    assert len(compared(recorded(4, ("0", "1"), 5), kinds).outcome().findings) == 3


def test_where_nothing_was_compared_all_losses_are_new() -> None:
    assert len(compared(None, {b"a": "missing", b"\xff\n": "lost"}).outcome().findings) == 2


def test_many_losses_are_counted() -> None:
    outcome = compared(None, {str(number).encode(): "missing" for number in range(500)}).outcome()
    assert len(outcome.findings) == 51 and outcome.findings[-1].text == "and 450 more missing media files"

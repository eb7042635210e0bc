"""Files written past the page cache or through it: every byte arrives, whatever the pieces and the file system."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from holdfast.storage import writeback
from holdfast.storage.writeback import EarlyWriter

BLOCK = 4 << 20
FOLDERS = [pytest.param(None, id="disk"), pytest.param("/dev/shm", id="memory")]

sizes = st.one_of(
    st.integers(0, 5000),
    st.sampled_from([4095, 4096, 4097, BLOCK - 1, BLOCK, BLOCK + 1, 2 * BLOCK, 3 * BLOCK + 7]),
    st.integers(0, 3 * BLOCK),
)


def written(pieces: list[bytes], folder: str | None) -> tuple[bytes, int]:
    with tempfile.NamedTemporaryFile(dir=folder) as file:
        writer = EarlyWriter(file.fileno())
        for piece in pieces:
            writer.write(piece)
        writer.finish()
        return Path(file.name).read_bytes(), writer.size_bytes


@settings(max_examples=25)
@pytest.mark.parametrize("folder", FOLDERS)
@given(lengths=st.lists(sizes, max_size=4))
def test_all_bytes_arrive_in_order(folder: str | None, lengths: list[int]) -> None:
    pieces = [os.urandom(length) for length in lengths]
    found, size_bytes = written(pieces, folder)
    assert found == b"".join(pieces)
    assert size_bytes == len(found)


def test_large_files_go_past_the_page_cache_where_they_can(tmp_path: Path) -> None:
    """The first full block is written with O_DIRECT; the rest of less than a block is not."""
    file = os.open(tmp_path / "file", os.O_WRONLY | os.O_CREAT)
    try:
        writer = EarlyWriter(file)
        writer.write(bytes(BLOCK))
        is_direct = writer._is_direct
        writer.write(b"rest")
        writer.finish()
    finally:
        os.close(file)
    assert is_direct is not None
    assert (tmp_path / "file").stat().st_size == BLOCK + 4


def test_file_system_that_takes_no_direct_writes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Some say so when the flag is set, some only when something is written: both are written through the cache."""
    monkeypatch.setattr(writeback, "_O_DIRECT", 0)
    content = os.urandom(2 * BLOCK + 123)
    assert written([content], str(tmp_path))[0] == content
    monkeypatch.undo()
    real, refused = os.write, []

    def refusing(file: int, data: memoryview) -> int:
        if not refused:
            refused.append(len(data))
            raise OSError(22, "Invalid argument")
        return real(file, data)

    monkeypatch.setattr(os, "write", refusing)
    assert written([content], str(tmp_path))[0] == content


def test_short_writes_are_continued(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A disk that fills up, or a signal, lets a part of a block be written."""
    real = os.write
    monkeypatch.setattr(os, "write", lambda file, data: real(file, data[: max(1, len(data) // 3)]))
    content = os.urandom(BLOCK + 999_999)
    assert written([content], str(tmp_path))[0] == content

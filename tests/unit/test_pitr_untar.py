"""A base backup's tar comes out as it went in, and nothing comes out elsewhere."""

from __future__ import annotations

import io
import os
import tarfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from holdfast.errors import IntegrityError
from holdfast.pitr.untar import Extraction
from holdfast.recovery.account import Account

OURS = Account(None, os.geteuid(), os.getegid())


def tar_of(*members: tuple[tarfile.TarInfo, bytes]) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.USTAR_FORMAT) as tar:
        for info, content in members:
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
    return out.getvalue()


def member(name: str, kind: bytes = tarfile.REGTYPE, link: str = "") -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type, info.linkname = kind, link
    return info


def extract(folder: Path, tar: bytes, piece_bytes: int = 1000) -> int:
    extraction = Extraction(folder, OURS, lambda count: None)
    extraction.take(tar[at : at + piece_bytes] for at in range(0, len(tar), piece_bytes))
    return extraction.files


@settings(max_examples=30)
@given(contents=st.lists(st.binary(max_size=3000), max_size=6), piece_bytes=st.integers(1, 4000))
def test_files_come_out_as_they_went_in(
    tmp_path_factory: pytest.TempPathFactory, contents: list[bytes], piece_bytes: int
) -> None:
    """However the stream is cut into pieces."""
    folder = tmp_path_factory.mktemp("out")
    members = [(member(f"base/{number}/{number}"), content) for number, content in enumerate(contents)]
    assert extract(folder, tar_of((member("base", tarfile.DIRTYPE), b""), *members), piece_bytes) == len(contents)
    for number, content in enumerate(contents):
        path = folder / f"base/{number}/{number}"
        assert path.read_bytes() == content
        assert path.stat().st_mode & 0o777 == 0o600
        assert path.parent.stat().st_mode & 0o777 == 0o700


@pytest.mark.parametrize("name", ["../out", "/etc/passwd", "base/../../out", ".."])
def test_names_that_lead_out_are_refused(tmp_path: Path, name: str) -> None:
    """Absolute ones, and those with two dots."""
    folder = tmp_path / "in"
    folder.mkdir()
    with pytest.raises(IntegrityError, match="leads out"):
        extract(folder, tar_of((member(name), b"x")))
    assert list(folder.iterdir()) == []


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE, tarfile.FIFOTYPE])
def test_nothing_but_files_and_folders_is_made(tmp_path: Path, kind: bytes) -> None:
    """A link of a tablespace would lead to the source's own files."""
    with pytest.raises(IntegrityError, match="neither a file nor a folder"):
        extract(tmp_path, tar_of((member("pg_tblspc/16384", kind, "/srv/other"), b"")))
    assert not (tmp_path / "pg_tblspc/16384").exists()


def test_a_tar_that_is_cut_off_or_none_is_told(tmp_path: Path) -> None:
    """Its end is two blocks of zeros."""
    whole = tar_of((member("a"), b"x" * 700))
    with pytest.raises(IntegrityError, match="cut off"):
        extract(tmp_path, whole[:1000])
    with pytest.raises(IntegrityError, match="no tar"):
        extract(tmp_path, b"\1" * 1024)


def test_a_file_is_never_written_twice(tmp_path: Path) -> None:
    """Which of two were right could not be told."""
    with pytest.raises(IntegrityError, match="holds a twice"):
        extract(tmp_path, tar_of((member("a"), b"x"), (member("a"), b"y")))

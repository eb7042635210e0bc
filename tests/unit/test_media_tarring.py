"""Headers of tar members: the quick way writes what tarfile writes, byte for byte."""

from __future__ import annotations

import tarfile

from hypothesis import example, given
from hypothesis import strategies as st

from holdfast.media.source import Found
from holdfast.media.tarring import member_header

_NAMES = {"encoding": "utf-8", "errors": "surrogateescape"}
_PATHS = st.binary(min_size=1, max_size=130).filter(lambda path: b"\0" not in path and not path.endswith(b"/"))


@given(_PATHS, st.integers(0, 1 << 36), st.integers(0, 0o7777), st.integers(-(10**10), 1 << 63))
@example(b"a" * 100, (1 << 33) - 1, 0o644, 0)
@example(b"a" * 101, 1 << 33, 0o7777, ((1 << 33) - 1) * 10**9)
@example(b"photo-\xff.jpg", 0, 0, (1 << 33) * 10**9)
def test_header_is_that_of_tarfile(path: bytes, size: int, mode: int, mtime_ns: int) -> None:
    info = tarfile.TarInfo(path.decode(**_NAMES))
    info.size, info.mode, info.mtime = size, mode, max(0, mtime_ns // 10**9)
    found = Found(path, "file", b"", size, mode, mtime_ns)
    assert member_header(found) == info.tobuf(tarfile.GNU_FORMAT, **_NAMES)

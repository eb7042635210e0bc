"""Reading a file for a shard: its descriptor is given back exactly once, however the reading ends."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from holdfast.media.contents import Contents
from holdfast.media.reading import Outcome, Task, prepare
from holdfast.media.source import Found, Source, Unreadable

_FOUND = Found(path=b"a", kind="file", line=b'{"path":"a","size":3,', size=3)


@dataclass
class _Failing:
    """A source of one file, which opens but cannot be read."""

    url: str = "file:///nowhere"
    closed: list[str] = field(default_factory=list)

    def open(self, found: Found) -> _Failing:
        return self

    def now(self) -> Found:
        return _FOUND

    def pieces(self, offset: int, length: int) -> Iterator[bytes]:
        raise Unreadable("a: input/output error")

    def extents(self) -> None:
        return None

    def close(self) -> None:
        self.closed.append("closed")


def test_a_file_that_fails_amid_reading_is_closed_once() -> None:
    """A second close would hit whatever file another thread has opened under the same descriptor since."""
    source = _Failing()
    outcome = prepare(_as_source(source), Contents(lambda shard, sha256: False), Task(_FOUND))
    assert isinstance(outcome, Outcome)
    assert "input/output error" in outcome.fault
    assert source.closed == ["closed"]


def _as_source(failing: _Failing) -> Source:
    return failing  # type: ignore[return-value]

"""What a snapshot needs of the place that the media lie in: a walk in order, and the bytes of one file."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple, Protocol

from holdfast.errors import HoldfastError, TransientError
from holdfast.media.entries import Kind


class Found(NamedTuple):
    """One path as the source shows it now.

    ``line``: the beginning of its listing line (entries.py): all that the source tells, each field that changes
    when the content does among them. For a file it ends in a comma, ``"sha256"`` follows; for others it is whole.
    ``mode`` and ``mtime_ns`` stand in the tar. ``file_id`` is given where several paths may lead to one file.
    ``is_settled`` is False where the file was touched so lately that a further change might leave no sign. ``fault``
    says why a path, such as a closed directory, cannot be read at all.
    """

    path: bytes
    kind: Kind
    line: bytes
    size: int = 0
    mode: int = 0o644
    mtime_ns: int = 0
    file_id: tuple[int, int] | None = None
    is_settled: bool = True
    fault: str = ""

    def resized(self, size: int) -> Found:
        """The same with another size: that of what could be read of a file that would not keep still."""
        line = self.line.replace(b'"size":%d,' % self.size, b'"size":%d,' % size, 1)
        return self._replace(size=size, line=line)


class SourceUnavailable(TransientError):
    """The media source is not there, or cannot be listed."""


class Vanished(HoldfastError):
    """A file that the walk saw is gone."""


class Unreadable(HoldfastError):
    """A file is there but may not, or cannot, be read."""


class Reader(Protocol):
    """One opened file."""

    def pieces(self, offset: int, length: int) -> Iterator[bytes]:
        """``length`` bytes from ``offset`` in pieces of up to 1 MiB, fewer where the file ends before."""
        ...

    def extents(self) -> tuple[tuple[int, int], ...] | None:
        """(offset, length) of the parts that hold data; None where the file is to be stored whole."""
        ...

    def now(self) -> Found:
        """The file as it is at this moment, to be compared before and after it was read."""
        ...

    def close(self) -> None:
        """Give it back."""
        ...


class Source(Protocol):
    """A directory or a bucket with a prefix."""

    @property
    def url(self) -> str:
        """Where it is, without any secret."""
        ...

    @property
    def file_systems(self) -> int:
        """On how many file systems the files lay that the last walk saw; 1 for what is no directory."""
        ...

    @property
    def readers(self) -> int:
        """How many files are best read at once: few from a disk, many where each costs a round trip."""
        ...

    def scan(self) -> Iterator[Found]:
        """Every path below the root, in bytewise order of the paths, those of directories ending in ``/``.

        The root itself is not among them. Raises SourceUnavailable.
        """
        ...

    def open(self, found: Found) -> Reader:
        """Open a file for reading; may be called from several threads. Raises Vanished or Unreadable."""
        ...

"""Reads files that changed: whole and hashed where they are small, opened for streaming where they are large."""

from __future__ import annotations

import hashlib
from contextlib import ExitStack
from dataclasses import dataclass

from holdfast.media.contents import LARGE_BYTES, Contents
from holdfast.media.entries import Content
from holdfast.media.source import Found, Reader, Source, Unreadable, Vanished

ATTEMPTS = 3


@dataclass(slots=True)
class Task:
    """One file to be read; its outcome is set once its bytes are in a shard, or need not be."""

    found: Found
    outcome: Outcome | None = None


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a file: ``found`` as it was when read, where its content lies, or why there is none.

    ``is_new``: its content was not in the store before. Without content it has vanished, or ``fault`` says why it
    cannot be read.
    """

    found: Found
    content: Content | None
    is_new: bool = False
    is_unstable: bool = False
    fault: str = ""

    @property
    def line_end(self) -> bytes:
        """The rest of the listing line, for this path or another that leads to the same file."""
        assert self.content is not None
        return self.content.line_end(is_unstable=self.is_unstable, is_unsettled=not self.found.is_settled)


@dataclass(slots=True)
class Member:
    """A file that must be packed: its bytes and their SHA-256, or a reader to stream it from."""

    task: Task
    found: Found
    data: bytes = b""
    sha256: str = ""
    is_unstable: bool = False
    reader: Reader | None = None


def prepare(source: Source, contents: Contents, task: Task) -> Member | Outcome:
    """Read a file, or open it if it is large; the outcome at once where nothing of it needs to be packed."""
    try:
        with ExitStack() as opened:
            reader = source.open(task.found)
            opened.callback(reader.close)
            # What a directory says of a file may be old, so the size is asked for once more.
            if reader.now().size > LARGE_BYTES:
                prepared = _opened(reader, contents, task)
                if isinstance(prepared, Member):
                    opened.pop_all()  # it is the packer's to read and to close
                return prepared
            found, data, is_unstable = _read(reader)
    except Vanished:
        return Outcome(task.found, None)
    except Unreadable as error:
        return Outcome(task.found, None, fault=error.message)
    sha256 = hashlib.sha256(data).hexdigest()
    known = contents.find(sha256)
    if known is not None:
        return Outcome(found, known, is_unstable=is_unstable)
    return Member(task, found, data, sha256, is_unstable)


def _read(reader: Reader) -> tuple[Found, bytes, bool]:
    """(the file as it was then, its bytes, whether it changed however often it was read)."""
    for _ in range(ATTEMPTS):
        before = reader.now()
        data = b"".join(reader.pieces(0, before.size))
        if len(data) == before.size and reader.now().line == before.line:
            return before, data, False
    return before.resized(len(data)), data, True


def _opened(reader: Reader, contents: Contents, task: Task) -> Member | Outcome:
    found = reader.now()
    if contents.may_hold(found.size):
        digest = hashlib.sha256()
        for piece in reader.pieces(0, found.size):
            digest.update(piece)
        known = contents.find(digest.hexdigest())
        if known is not None and reader.now().line == found.line:
            return Outcome(found, known)
    return Member(task, found, reader=reader)

"""Packs files into shards: some threads read and hash, others encrypt and store, each a shard of its own."""

from __future__ import annotations

import secrets
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass, field
from datetime import UTC, datetime

from holdfast.media.channel import Broken, Channel
from holdfast.media.contents import Contents
from holdfast.media.entries import Content
from holdfast.media.reading import ATTEMPTS, Member, Outcome, Task, prepare
from holdfast.media.records import ShardUse
from holdfast.media.source import Found, Reader, Source, Unreadable, Vanished
from holdfast.media.sparse import ContentHash
from holdfast.media.tarring import END, member_header, padding, sparse_header

_PACKERS = 2
_WAITING_TASKS = 64
_WAITING_BYTES = 24 << 20
# Hashing, encrypting and writing take less than Python's 5 ms of letting another thread run: with them, each of the
# threads would wait for the others most of the time.
_SWITCH_S = 0.0005
_LEAST_WEIGHT = 64 << 10  # what a member weighs besides its bytes
_ZEROS = bytes(1 << 20)


@dataclass(frozen=True, slots=True)
class ShardSizes:
    """A shard is closed at ``target`` bytes of files, and before a file that would take it beyond ``most``.

    A file that is larger than ``most`` by itself still lies in one shard; so does one after ``least`` bytes.
    """

    least: int = 64 << 20
    target: int = 128 << 20
    most: int = 256 << 20


@dataclass(slots=True)
class _Shard:
    """A shard in the making: its id, the length of its tar so far, and the lines of what it holds."""

    id: str
    offset: int = 0
    data_bytes: int = 0
    lines: list[bytes] = field(default_factory=list)


StoreShard = Callable[[str, Iterator[bytes], int], tuple[int, str]]
"""Stores the tar of a shard (id, pieces, size hint); returns its size in bytes and SHA-256 as stored."""

KeepShard = Callable[[ShardUse, list[bytes]], None]
"""Told of each stored shard and of the listing lines of what it holds."""


class Packer:
    """Takes files with ``submit``; ``wait`` gives a file's outcome; ``finish`` returns when all is stored."""

    def __init__(
        self, source: Source, contents: Contents, store: StoreShard, keep: KeepShard, sizes: ShardSizes
    ) -> None:
        self._source, self._contents = source, contents
        self._store, self._keep, self._sizes = store, keep, sizes
        self._tasks: Channel[Task] = Channel(_WAITING_TASKS)
        self._members: Channel[Member] = Channel(_WAITING_BYTES, lambda member: len(member.data) + _LEAST_WEIGHT)
        self._changed = threading.Condition()
        self._awaited: Task | None = None
        self._failure: BaseException | None = None
        self._read_bytes = 0
        self.shards: dict[str, ShardUse] = {}
        self._readers = [threading.Thread(target=self._guarded, args=(self._read,)) for _ in range(source.readers)]
        self._packers = [threading.Thread(target=self._guarded, args=(self._pack,)) for _ in range(_PACKERS)]
        self._is_started = False
        self._switch_s = sys.getswitchinterval()

    def submit(self, task: Task) -> None:
        """Have a file read and, where its content is new, packed."""
        if not self._is_started:
            self._is_started = True
            sys.setswitchinterval(_SWITCH_S)
            for thread in (*self._readers, *self._packers):
                thread.start()
        self._put(task)

    def wait(self, task: Task) -> Outcome:
        """The outcome of a file; raises what any thread failed with."""
        with self._changed:
            self._awaited = task
            while task.outcome is None and self._failure is None and self._is_alive():
                self._changed.wait(0.5)
            self._awaited = None
        if task.outcome is None:
            self._raise()
        if task.outcome is None:
            raise RuntimeError("the threads that pack files ended too early")
        return task.outcome

    def finish(self) -> None:
        """Wait until everything that was submitted is stored; raises what any thread failed with."""
        if not self._is_started:
            return
        self._tasks.close()
        _join(self._readers)
        self._members.close()
        _join(self._packers)
        sys.setswitchinterval(self._switch_s)
        self._raise()

    def abandon(self) -> None:
        """Stop all threads; shards in the making are given up, those stored stay."""
        if self._is_started:
            self._tasks.break_off()
            self._members.break_off()
            _join((*self._readers, *self._packers))
            sys.setswitchinterval(self._switch_s)

    def take_read_bytes(self) -> int:
        """Bytes read since this was asked last."""
        with self._changed:
            taken, self._read_bytes = self._read_bytes, 0
        return taken

    def _is_alive(self) -> bool:
        return any(thread.is_alive() for thread in (*self._readers, *self._packers))

    def _put(self, task: Task) -> None:
        try:
            self._tasks.put(task)
        except Broken:
            self._raise()
            raise

    def _raise(self) -> None:
        if self._failure is not None:
            raise self._failure

    def _guarded(self, work: Callable[[], None]) -> None:
        try:
            work()
        except Broken:
            return
        except BaseException as error:
            with self._changed:
                self._failure = self._failure or error
                self._changed.notify_all()
            self._tasks.break_off()
            self._members.break_off()

    def _read(self) -> None:
        while (task := self._tasks.get()) is not None:
            prepared = prepare(self._source, self._contents, task)
            if isinstance(prepared, Outcome):
                self._settle(task, prepared)
            else:
                self._members.put(prepared)

    def _settle(self, task: Task, outcome: Outcome) -> None:
        with self._changed:
            task.outcome = outcome
            self._read_bytes += outcome.found.size
            if task is self._awaited:  # to be woken for every other file would slow all threads
                self._changed.notify()

    def _pack(self) -> None:
        member = self._members.get()
        while member is not None:
            shard = _Shard(f"{datetime.now(UTC):%Y%m%dT%H%M%SZ}-{secrets.token_hex(6)}")
            carried: list[Member | None] = []
            hint = max(self._sizes.most, member.found.size + (1 << 20)) + self._sizes.most
            stored_bytes, sha256 = self._store(shard.id, self._tar(shard, member, carried), hint)
            use = ShardUse(id=shard.id, bytes=stored_bytes, sha256=sha256, data_bytes=shard.data_bytes, wanted_bytes=0)
            self._keep(use, shard.lines)
            with self._changed:
                self.shards[shard.id] = use
            member = carried[0]

    def _tar(self, shard: _Shard, first: Member, carried: list[Member | None]) -> Iterator[bytes]:
        """The shard's bytes; ``carried`` is left with the member that begins the next one, None at the end."""
        member: Member | None = first
        while member is not None:
            yield from self._member(shard, member)
            if shard.data_bytes >= self._sizes.target:
                member = self._members.get()
                break
            member = self._members.get()
            is_late = shard.data_bytes >= self._sizes.least
            if member and is_late and shard.data_bytes + member.found.size > self._sizes.most:
                break
        carried.append(member)
        yield END

    def _member(self, shard: _Shard, member: Member) -> Iterator[bytes]:
        if member.reader is not None:
            with closing(member.reader) as reader:
                yield from self._streamed(shard, member, reader)
            return
        header = member_header(member.found)
        planned = Content(member.sha256, shard.id, shard.offset + len(header))
        content = self._contents.add(planned, member.found.size)
        if content == planned:
            pad = bytes(padding(len(member.data)))
            yield header
            yield member.data
            yield pad
            shard.offset += len(header) + len(member.data) + len(pad)
            shard.data_bytes += len(member.data)
        self._done(shard, member, Outcome(member.found, content, content == planned, member.is_unstable))

    def _streamed(self, shard: _Shard, member: Member, reader: Reader) -> Iterator[bytes]:
        """A large file, again if it changed meanwhile; the last attempt stands, as unstable."""
        for attempt in range(1, ATTEMPTS + 1):
            found, extents = reader.now(), reader.extents()
            header = member_header(found) if extents is None else sparse_header(found, extents)
            yield header
            stream = _Stream(reader, found, extents)
            yield from stream.pieces()
            pad = bytes(padding(stream.stored_bytes))
            yield pad
            content = Content(stream.digest.hexdigest(), shard.id, shard.offset + len(header), extents)
            shard.offset += len(header) + stream.stored_bytes + len(pad)
            shard.data_bytes += stream.stored_bytes
            if stream.failure is not None:
                fault = stream.failure.message if isinstance(stream.failure, Unreadable) else ""
                return self._done(shard, member, Outcome(found, None, fault=fault))
            is_stable = reader.now().line == found.line
            if is_stable or attempt == ATTEMPTS:
                self._contents.add(content, found.size)
                return self._done(shard, member, Outcome(found, content, is_new=True, is_unstable=not is_stable))

    def _done(self, shard: _Shard, member: Member, outcome: Outcome) -> None:
        if outcome.is_new:
            shard.lines.append(outcome.found.line + outcome.line_end)
        self._settle(member.task, outcome)


class _Stream:
    """A large file on its way into a tar, whose header has promised its size: what is missing is filled with zeros.

    ``digest`` is of the file as it reads, the holes between the stored parts included.
    """

    def __init__(self, reader: Reader, found: Found, extents: tuple[tuple[int, int], ...] | None) -> None:
        self.digest = ContentHash(found.size, extents)
        self.stored_bytes = 0
        self.failure: Unreadable | Vanished | None = None
        self._reader = reader
        self._extents = ((0, found.size),) if extents is None else extents

    def pieces(self) -> Iterator[bytes]:
        """The bytes that go into the tar."""
        for offset, length in self._extents:
            yield from self._part(offset, length)

    def _part(self, offset: int, length: int) -> Iterator[bytes]:
        missing = length
        try:
            for piece in self._reader.pieces(offset, length):
                missing -= len(piece)
                yield self._taken(piece)
        except (Unreadable, Vanished) as error:
            self.failure = error
        while missing:
            piece = _ZEROS[:missing]
            missing -= len(piece)
            yield self._taken(piece)

    def _taken(self, piece: bytes) -> bytes:
        self.digest.update(memoryview(piece))
        self.stored_bytes += len(piece)
        return piece


def _join(threads: list[threading.Thread] | tuple[threading.Thread, ...]) -> None:
    for thread in threads:
        while thread.is_alive():
            thread.join(0.5)

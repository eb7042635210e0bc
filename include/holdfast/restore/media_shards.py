"""Restores the files of one shard: reads what is wanted of it, checks each file's bytes and gives it its name."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from functools import partial
from itertools import groupby

from holdfast.errors import DecryptError, IntegrityError, ObjectMissing
from holdfast.media.cutting import Span, cut
from holdfast.media.shard_reading import ShardReader, ranges_worth
from holdfast.media.sparse import ContentHash, Placement, demand_sound
from holdfast.restore.media_files import NewFile, found, same_standing, why_taken, write_all
from holdfast.restore.media_plan import FileTask, Plan
from holdfast.restore.media_report import CANNOT_WRITE
from holdfast.restore.media_tally import Tally
from holdfast.restore.media_tree import Refused, Walker, reason_of
from holdfast.storage.writeback import EarlyWriter

_PIECE_BYTES = 1 << 20
_FILE_MODE = 0o644
_STREAMED_BYTES = 8 << 20
"""From this size on, files go past the page cache where they can: nobody may read them for long."""
_DAMAGED = "its bytes in the store are damaged"


Content = tuple[FileTask, ...]
"""All files of one content."""


class ShardRestore:
    """The work of one thread on one shard; ``reader`` is None for files of which nothing is stored."""

    def __init__(
        self,
        plan: Plan,
        number: int,
        reader: ShardReader | None,
        walker: Walker,
        tally: Tally,
        *,
        is_fresh: bool,
        overwrite: bool,
    ) -> None:
        self._plan, self._number, self._reader = plan, number, reader
        self._walker, self._tally, self._overwrite = walker, tally, overwrite
        self._is_fresh = is_fresh
        self._lost = _DAMAGED

    def run(self) -> None:
        """Restore all files of the shard; those that cannot be are named in the tally, and their names stay free.

        Raises what concerns all of them: OSError where the disk is full, StoreError.
        """
        if not self._is_fresh:
            self._skip_standing()
        if self._reader is None:
            for content in self._contents():
                self._place_whole(content, memoryview(b""))
            return
        current: _Large | None = None
        try:
            for content, part, is_last in cut(self._pieces(self._reader), self._spans()):
                if part is None:
                    self._give_up(content, current)
                    current = None
                elif current is None and is_last:
                    self._place_whole(content, part)
                else:
                    current = current or _Large(content, self)
                    current.write(part)
                    if is_last:
                        current.finish()
                        current = None
                self._tally.add(moved=len(part or b"") * len(content))
        finally:
            if current is not None:
                current.close()

    def _contents(self) -> Iterator[Content]:
        for _, group in groupby(self._plan.files(self._number), key=_content_of):
            yield tuple(group)

    def _spans(self) -> Iterator[Span[Content]]:
        for content in self._contents():
            try:
                if content[0].extents is not None:
                    demand_sound(content[0].size, content[0].extents)
            except IntegrityError as error:
                for task in content:
                    self._tally.fault(task.path, error.message)
                continue
            yield Span(content[0].offset, content[0].stored_bytes, content)

    def _pieces(self, reader: ShardReader) -> Iterator[tuple[int, memoryview]]:
        ranges = ranges_worth(self._extents(), reader.size_bytes)
        try:
            for offset, piece in reader.stream() if ranges is None else reader.ranges(ranges):
                self._tally.add(read_bytes=len(piece))
                yield offset, piece
        except ObjectMissing:
            self._lost = f"its shard {reader.key} is missing in the store"
        except DecryptError as error:
            self._lost = f"its shard {reader.key} cannot be read: {error.message}"

    def _extents(self) -> Iterator[tuple[int, int]]:
        for task in self._plan.files(self._number):
            yield task.offset, task.stored_bytes

    def _give_up(self, content: Content, current: _Large | None) -> None:
        if current is not None:
            current.close()
        for task in content:
            self._tally.fault(task.path, self._lost)

    def _skip_standing(self) -> None:
        """Files that stand there already, the same to the byte, are what an earlier run restored."""
        done = []
        for task in self._plan.files(self._number):
            try:
                folder, name = self._walker.parent(task.path)
                standing = found(folder, name)
                if standing is None:
                    continue
                same = None
                if standing.st_size == task.size:
                    same = same_standing(self._walker, task.path, task.size, task.sha256, task.marks)
                if same is not None:
                    self._placed(task, skipped=1, unowned=not same.is_owned)
                elif self._overwrite:
                    continue
                else:
                    self._tally.fault(task.path, why_taken(folder, name))
            except Refused as refused:
                self._tally.fault(task.path, str(refused))
            done.append(task)
        self._plan.drop(self._number, done)

    def _place_whole(self, content: Content, data: memoryview) -> None:
        """A content whose bytes are all at hand is checked before anything is written."""
        digest = content_hash(content[0])
        digest.update(data)
        if digest.hexdigest() != content[0].sha256:
            self._give_up(content, None)
            return
        for task in content:
            self.attempt(task, partial(_fill, task, data))

    def attempt(self, task: FileTask, fill: Callable[[int], None]) -> bool:
        """Make one file, have it filled, and give it its name; False, and named, where that cannot be."""
        try:
            folder, _ = self._walker.parent(task.path)
            new = NewFile(folder)
            try:
                fill(new.file)
                self.publish(task, new)
            finally:
                new.close()
        except Refused as refused:
            self._tally.fault(task.path, str(refused))
        except OSError as error:
            self._tally.fault(task.path, f"{CANNOT_WRITE}{reason_of(error)}")
        else:
            return True
        return False

    def publish(self, task: FileTask, new: NewFile) -> None:
        """Give a filled file its marks and its name; raises Refused or OSError."""
        is_owned = task.marks.put_on(new.file, _FILE_MODE)
        folder, name = self._walker.parent(task.path)
        new.publish(folder, name, overwrite=self._overwrite)
        self._placed(task, files=1, size=task.size, unowned=not is_owned)

    def _placed(self, task: FileTask, **counts: int) -> None:
        if task.linked is not None:
            self._plan.mark_linked([task.linked])
        self._tally.add(**counts)

    def refuse(self, task: FileTask, reason: str) -> None:
        """Name a file that cannot be restored."""
        self._tally.fault(task.path, reason)

    def open_first(self, content: Content) -> tuple[NewFile | None, list[FileTask]]:
        """(a new file that can be filled, the tasks that may be given it), those whose folder is closed named."""
        tasks = []
        new: NewFile | None = None
        for task in content:
            try:
                folder, _ = self._walker.parent(task.path)
                new = new or NewFile(folder)
                tasks.append(task)
            except Refused as refused:
                self._tally.fault(task.path, str(refused))
            except OSError as error:
                self._tally.fault(task.path, f"{CANNOT_WRITE}{reason_of(error)}")
        return new, tasks


class _Large:
    """A content that comes in parts: written to one file as it comes, copied where several paths have it."""

    def __init__(self, content: Content, restore: ShardRestore) -> None:
        self._restore = restore
        self._content = content
        self._digest = content_hash(content[0])
        self._placement = Placement(content[0].extents or [(0, content[0].size)])
        self._new, self._tasks = restore.open_first(content)
        is_streamed = content[0].extents is None and content[0].size >= _STREAMED_BYTES
        self._writer = EarlyWriter(self._new.file) if self._new and is_streamed else None

    def write(self, part: memoryview) -> None:
        """Take the next stored bytes."""
        if self._new is None:
            return
        self._digest.update(part)
        if self._writer is not None:
            self._writer.write(part)
            return
        for offset, run in self._placement.of(part):
            write_all(self._new.file, run, offset)

    def finish(self) -> None:
        """All bytes came: name the file if they are right."""
        new, first = self._new, self._content[0]
        if new is None:
            return
        try:
            if self._digest.hexdigest() != first.sha256:
                for task in self._tasks:
                    self._restore.refuse(task, _DAMAGED)
                return
            if self._writer is not None:
                self._writer.finish()
            os.ftruncate(new.file, first.size)
            for task in self._tasks[1:]:
                self._restore.attempt(task, partial(_copy, task, new.file))
            try:
                self._restore.publish(self._tasks[0], new)
            except Refused as refused:
                self._restore.refuse(self._tasks[0], str(refused))
            except OSError as error:
                self._restore.refuse(self._tasks[0], f"{CANNOT_WRITE}{reason_of(error)}")
        finally:
            self.close()

    def close(self) -> None:
        """Give the file up, unless it was named."""
        if self._new is not None:
            self._new.close()
            self._new = None


def _content_of(task: FileTask) -> tuple[object, ...]:
    return task.offset, task.sha256, task.size, task.extents


def content_hash(task: FileTask) -> ContentHash:
    """What checks a file's stored bytes."""
    return ContentHash(task.size, task.extents)


def _fill(task: FileTask, data: memoryview, file: int) -> None:
    if task.extents is None:
        write_all(file, data, 0)
        return
    for offset, run in Placement(task.extents).of(data):
        write_all(file, run, offset)
    os.ftruncate(file, task.size)


def _copy(task: FileTask, source: int, file: int) -> None:
    """The parts of a file that hold data, into another."""
    for offset, length in task.extents or [(0, task.size)]:
        end = offset + length
        while offset < end:
            piece = os.pread(source, min(_PIECE_BYTES, end - offset), offset)
            write_all(file, memoryview(piece), offset)
            offset += len(piece)
    os.ftruncate(file, task.size)

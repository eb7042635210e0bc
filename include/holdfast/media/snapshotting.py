"""Makes the lines of a new snapshot: unchanged files keep their line, all others are read and packed."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field

from holdfast.media.contents import Contents
from holdfast.media.entries import UNSETTLED
from holdfast.media.merging import beside
from holdfast.media.packing import Packer
from holdfast.media.reading import Outcome, Task
from holdfast.media.source import Found, Source
from holdfast.progress import Progress

# How far the walk may run ahead of the oldest file that is still being packed.
_AHEAD = 20_000
_REPORT_BYTES = 4 << 20
_SHARD = b'"shard":"'
_CONTENT = b'"sha256":"'


@dataclass(slots=True)
class Counts:
    """What a walk came by. ``wanted_bytes``: of each shard that the snapshot names."""

    files: int = 0
    directories: int = 0
    links: int = 0
    special: int = 0
    vanished: int = 0
    unstable: int = 0
    size_bytes: int = 0
    read_files: int = 0
    new_files: int = 0
    wanted_bytes: dict[str, int] = field(default_factory=dict)
    faults: list[tuple[bytes, str]] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class _Pending:
    found: Found
    task: Task


class Snapshotting:
    """One walk over the source. ``is_lost(shard, sha256)`` tells contents that must be packed again."""

    def __init__(
        self,
        source: Source,
        contents: Contents,
        packer: Packer,
        is_lost: Callable[[str, str], bool] | None,
        progress: Progress,
    ) -> None:
        self.counts = Counts()
        self._source, self._contents, self._packer = source, contents, packer
        self._is_lost, self._progress = is_lost, progress
        self._linked: dict[tuple[int, int], Task] = {}
        self._told_bytes = 0
        self._learn: Callable[[], None] | None = None

    def lines(self, parent: Iterable[list[bytes]], learn: Callable[[], None]) -> Iterator[bytes]:
        """Every line, in order. ``learn`` is called before the first file that is read, to fill the contents."""
        waiting: deque[bytes | _Pending] = deque()
        self._learn = learn
        for found, line in beside(self._source.scan(), parent):
            waiting.append(self._line(found, line))
            while waiting and (len(waiting) > _AHEAD or _is_done(waiting[0])):
                yield from self._settled(waiting.popleft())
        while waiting:
            yield from self._settled(waiting.popleft())
        self._packer.finish()
        self._tell(everything=True)

    def _line(self, found: Found, line: bytes | None) -> bytes | _Pending:
        if found.fault:
            self.counts.faults.append((found.path, found.fault))
        if found.kind != "file":
            self._count_other(found)
            return found.line
        if line is not None and self._is_kept(line):
            return self._kept(found, line)
        if self._learn is not None:
            self._learn()
            self._learn = None
        seen = self._contents.find_seen(found.line) if found.is_settled else None
        if seen is not None:
            return self._kept(found, found.line + seen.line_end())
        self.counts.read_files += 1
        task = self._linked.get(found.file_id) if found.file_id else None
        if task is None:
            task = Task(found)
            if found.file_id:
                self._linked[found.file_id] = task
            self._packer.submit(task)
        return _Pending(found, task)

    def _is_kept(self, line: bytes) -> bool:
        """Whether an unchanged file's line may stand: its content is sound, and no change could have been missed."""
        if line.endswith(UNSETTLED):
            return False
        if self._is_lost is None:
            return True
        start = line.rindex(_CONTENT) + len(_CONTENT)
        return not self._is_lost(_shard(line), line[start : start + 64].decode())

    def _kept(self, found: Found, line: bytes) -> bytes:
        self._count_file(found.size, _shard(line))
        self._tell(found.size)
        return line

    def _settled(self, waiting: bytes | _Pending) -> Iterator[bytes]:
        if isinstance(waiting, bytes):
            yield waiting
            return
        while (outcome := waiting.task.outcome) is None:
            self._packer.wait(waiting.task)
        self._tell()
        found = waiting.found
        if outcome.fault:
            self.counts.faults.append((found.path, outcome.fault))
        elif outcome.content is None:
            self.counts.vanished += 1
            yield found.line.partition(b',"type":')[0] + b',"type":"vanished"}'
        else:
            yield self._packed(found, outcome)

    def _packed(self, found: Found, outcome: Outcome) -> bytes:
        assert outcome.content is not None
        is_same_path = outcome.found.path == found.path
        self._count_file(outcome.found.size, outcome.content.shard)
        self.counts.unstable += outcome.is_unstable
        self.counts.new_files += outcome.is_new and is_same_path
        return (outcome.found if is_same_path else found.resized(outcome.found.size)).line + outcome.line_end

    def _count_file(self, size: int, shard: str) -> None:
        counts = self.counts
        counts.files += 1
        counts.size_bytes += size
        counts.wanted_bytes[shard] = counts.wanted_bytes.get(shard, 0) + size

    def _count_other(self, found: Found) -> None:
        counts = self.counts
        if found.kind == "directory":
            counts.directories += 1
        elif found.kind == "link":
            counts.links += 1
        elif found.kind == "vanished":
            counts.vanished += 1
        else:
            counts.special += 1

    def _tell(self, count_bytes: int = 0, *, everything: bool = False) -> None:
        """Report progress now and then: a call for each file would cost more than the file."""
        self._told_bytes += count_bytes
        if everything or not count_bytes or self._told_bytes >= _REPORT_BYTES:
            moved = self._told_bytes + self._packer.take_read_bytes()
            self._told_bytes = 0
            if moved:
                self._progress.advance(moved)


def _is_done(waiting: bytes | _Pending) -> bool:
    return isinstance(waiting, bytes) or waiting.task.outcome is not None


def _shard(line: bytes) -> str:
    start = line.rindex(_SHARD) + len(_SHARD)
    return line[start : line.index(b'"', start)].decode()

"""What the threads of a restore have done together."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field

from holdfast.media.side_by_side import Stopped

_MOST_FAULTS = 10_000


@dataclass(slots=True)
class Tally:
    """What all threads together have done. ``unowned``: files whose owner the file system refused."""

    stop: threading.Event = field(default_factory=threading.Event)
    files: int = 0
    skipped: int = 0
    size_bytes: int = 0
    moved_bytes: int = 0
    read_bytes: int = 0
    unowned: int = 0
    fault_count: int = 0
    faults: list[tuple[bytes, str]] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def add(
        self,
        *,
        files: int = 0,
        skipped: int = 0,
        size: int = 0,
        moved: int = 0,
        read_bytes: int = 0,
        unowned: int = 0,
    ) -> None:
        """Count; raises Stopped where nothing more is to be done."""
        if self.stop.is_set():
            raise Stopped
        with self._lock:
            self.files += files
            self.skipped += skipped
            self.size_bytes += size
            self.moved_bytes += moved
            self.read_bytes += read_bytes
            self.unowned += unowned

    def fault(self, path: bytes, reason: str) -> None:
        """Name a path that could not be restored."""
        with self._lock:
            self.fault_count += 1
            if len(self.faults) < _MOST_FAULTS:
                self.faults.append((path, reason))

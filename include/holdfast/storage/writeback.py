"""Has the kernel write a growing file to disk early, so that the fsync at its end has little left to wait for."""

from __future__ import annotations

import ctypes
import os

_WRITE = 2  # SYNC_FILE_RANGE_WRITE: start writing and do not wait (sync_file_range(2))
_STEP_BYTES = 16 << 20

# Absent from other systems and some C libraries: then the fsync alone does the work.
_sync_file_range = getattr(ctypes.CDLL(None), "sync_file_range", None)


class EarlyWriter:
    """Writes pieces at the end of a file; of each 16 MiB it starts the write-back at once."""

    def __init__(self, file: int) -> None:
        self._file = file
        self._started_bytes = 0
        self.size_bytes = 0

    def write(self, piece: bytes) -> None:
        """Append the whole piece; raises OSError as the system does."""
        rest = memoryview(piece)
        while rest:
            written = os.write(self._file, rest)
            self.size_bytes += written
            rest = rest[written:]
        if self.size_bytes - self._started_bytes >= _STEP_BYTES:
            self._start()

    def _start(self) -> None:
        if _sync_file_range is not None:
            # Only a hint: what it fails to write, the fsync will, and will report.
            start, count = ctypes.c_int64(self._started_bytes), ctypes.c_int64(self.size_bytes - self._started_bytes)
            _sync_file_range(self._file, start, count, _WRITE)
        self._started_bytes = self.size_bytes

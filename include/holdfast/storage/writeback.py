"""Writes a growing file past the page cache, or, where that cannot be had, has the kernel write it to disk early.

Copying through the page cache can cost more processor time than encrypting, and nobody reads a backup right after.
"""

from __future__ import annotations

import ctypes
import errno
import fcntl
import mmap
import os

_WRITE = 2  # SYNC_FILE_RANGE_WRITE: start writing and do not wait (sync_file_range(2))
_STEP_BYTES = 16 << 20
_BLOCK_BYTES = 4 << 20

# Absent from other systems and some C libraries: then the fsync alone does the work.
_sync_file_range = getattr(ctypes.CDLL(None), "sync_file_range", None)
_O_DIRECT = getattr(os, "O_DIRECT", 0)


class EarlyWriter:
    """Appends pieces to a file in blocks of 4 MiB; ``finish`` writes the rest.

    The first full block decides: with O_DIRECT (open(2)) if the file system takes it, otherwise through the page
    cache, the write-back of each 16 MiB started at once.
    """

    def __init__(self, file: int) -> None:
        self._file = file
        self._block: mmap.mmap | None = None  # memory of its own pages, as O_DIRECT wants it
        self._filled = 0
        self._is_direct: bool | None = None
        self._started_bytes = self._written_bytes = 0

    @property
    def size_bytes(self) -> int:
        """Bytes taken so far."""
        return self._written_bytes + self._filled

    def write(self, piece: bytes | memoryview) -> None:
        """Append the whole piece; raises OSError as the system does."""
        if self._block is None:
            self._block = mmap.mmap(-1, _BLOCK_BYTES)
        rest = memoryview(piece)
        while rest:
            taken = min(len(rest), _BLOCK_BYTES - self._filled)
            self._block[self._filled : self._filled + taken] = rest[:taken]
            self._filled += taken
            rest = rest[taken:]
            if self._filled == _BLOCK_BYTES:
                self._write_block()

    def finish(self) -> None:
        """Write what is left and free the memory."""
        if self._block is not None:
            self._set_direct(False)
            self._write_out(self._filled)
            self._block.close()
            self._block = None

    def _write_block(self) -> None:
        if self._is_direct is None:
            self._is_direct = self._set_direct(True)
        try:
            self._write_out(_BLOCK_BYTES)
        except OSError as error:
            # Some file systems say only now that they do not take such writes.
            if not self._is_direct or error.errno != errno.EINVAL:
                raise
            self._is_direct = self._set_direct(False)
            self._write_out(self._filled)
        if not self._is_direct and self._written_bytes - self._started_bytes >= _STEP_BYTES:
            self._start()

    def _write_out(self, length: int) -> None:
        assert self._block is not None
        with memoryview(self._block) as view:
            offset = 0
            while offset < length:
                with view[offset:length] as rest:
                    written = os.write(self._file, rest)
                offset += written
                self._written_bytes += written
                self._filled -= written
                if self._is_direct and written % mmap.PAGESIZE and offset < length:
                    self._is_direct = self._set_direct(False)  # a disk that fills up: the rest is not aligned any more

    def _set_direct(self, is_wanted: bool) -> bool:
        """Switch O_DIRECT on or off; whether it is on."""
        flags = fcntl.fcntl(self._file, fcntl.F_GETFL)
        wanted = flags | _O_DIRECT if is_wanted else flags & ~_O_DIRECT
        if wanted != flags:
            try:
                fcntl.fcntl(self._file, fcntl.F_SETFL, wanted)
            except OSError as error:
                if error.errno != errno.EINVAL:
                    raise
                return False
        return is_wanted and bool(_O_DIRECT)

    def _start(self) -> None:
        if _sync_file_range is not None:
            # Only a hint: what it fails to write, the fsync will, and will report.
            start, count = (
                ctypes.c_int64(self._started_bytes),
                ctypes.c_int64(self._written_bytes - self._started_bytes),
            )
            _sync_file_range(self._file, start, count, _WRITE)
        self._started_bytes = self._written_bytes

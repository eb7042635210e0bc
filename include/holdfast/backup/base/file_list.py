"""PostgreSQL's backup_manifest, kept and read while it streams by: compressed, and the few facts in it."""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import dataclass

import zstandard

from holdfast.errors import IntegrityError, TransientError
from holdfast.values.lsn import Lsn

_TAIL_BYTES = 64 << 10
_CLOSING = re.compile(rb'"WAL-Ranges":\s*(\[.*?\]),\s*("Manifest-Checksum":\s*"([0-9a-f]{64})"\s*\}\s*)$', re.DOTALL)
_LEVEL = 3


@dataclass(frozen=True, slots=True)
class WalRange:
    """The WAL without which the files are not consistent: from the start of the backup to its end."""

    timeline: int
    start: Lsn
    stop: Lsn


class FileList:
    """Takes backup_manifest piece by piece; memory holds it compressed only, for it can name a million files.

    Source: PostgreSQL manual, "Backup Manifest Format".
    """

    def __init__(self) -> None:
        self._compressor = zstandard.ZstdCompressor(level=_LEVEL, write_checksum=True).compressobj()
        self._pieces: list[bytes] = []
        self._hash = hashlib.sha256()
        self._tail = b""

    def take(self, piece: bytes) -> None:
        """The next bytes of it."""
        self._pieces.append(self._compressor.compress(piece))
        joined = self._tail + piece
        self._hash.update(joined[:-_TAIL_BYTES])
        self._tail = joined[-_TAIL_BYTES:]

    def compressed(self) -> list[bytes]:
        """All of it as one zstd frame; to be asked for once, at the end."""
        return [*self._pieces, self._compressor.flush()]

    def wal_range(self) -> WalRange:
        """What it says of the WAL, once its own checksum has been found right.

        Raises IntegrityError where it is not whole, TransientError where the timeline changed in the meantime.
        """
        found = _CLOSING.search(self._tail)
        if found is None:
            raise IntegrityError("base backup: its backup_manifest does not end as one does")
        # The checksum covers everything up to its own line.
        whole = self._hash.copy()
        whole.update(self._tail[: found.start(2)])
        if whole.hexdigest() != found[3].decode():
            raise IntegrityError("base backup: its backup_manifest does not have the checksum that it names")
        ranges = json.loads(found[1])
        if len(ranges) != 1:
            raise TransientError("base backup: the server's timeline changed while it was taken")
        one = ranges[0]
        return WalRange(int(one["Timeline"]), Lsn.parse(one["Start-LSN"]), Lsn.parse(one["End-LSN"]))

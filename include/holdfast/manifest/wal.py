"""What is recorded of each piece of WAL in the store, signed, before the piece itself is stored."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from holdfast.manifest.model import Record


class WalMark(Record):
    """A moment of the source whose place in the WAL is known.

    ``at`` is the server's clock before, ``seen_at`` after a transaction that had committed by ``lsn``; ``number`` is
    what it has written, None where it may not write: then ``lsn`` is only where the server stood. So every commit up to
    ``at`` lies before ``lsn``, and a recovery that reaches ``lsn`` finds ``number`` or a later one.
    """

    number: int | None
    at: datetime
    seen_at: datetime
    lsn: str


class WalRecord(Record):
    """One stored piece of WAL: a whole segment, the beginning of an open one, or a timeline's history file.

    ``bytes`` and ``sha256`` are of what comes out of ``age -d | zstd -d``: of a partial piece only its beginning that
    is known, up to ``end_lsn`` (None of a history file). ``marks``: those whose LSN lies in it, oldest first.
    ``switches`` of a history file: each ancestor and the LSN where it was left, so that windows are known without keys.
    """

    format: Literal["holdfast-wal/1"] = "holdfast-wal/1"
    kind: Literal["segment", "partial", "history"]
    system_identifier: str
    timeline: int
    name: str
    segment_bytes: int
    server_version_num: int
    bytes: int
    sha256: str
    end_lsn: str | None
    received_at: datetime
    marks: tuple[WalMark, ...] = ()
    switches: tuple[tuple[int, str], ...] = ()


class WalCheck(Record):
    """What ``wal check`` has read and found whole, so that it is not read again: segments ``first`` to ``last``.

    Other pieces and base backups stand as ranges of their own. Each check takes over what the one before it knew and
    nobody has written since; ``checked_at`` is when it began. ``faults`` are the keys of objects that were not as their
    records say.
    """

    format: Literal["holdfast-wal-check/1"] = "holdfast-wal-check/1"
    id: str
    app: str
    environment: str
    system_identifier: str
    checked_at: datetime
    ranges: tuple[tuple[str, str], ...]
    faults: tuple[str, ...] = ()


class WalStatus(Record):
    """What a streamer says of itself and its source, about once a minute and when a run ends.

    ``name`` is its own in the store, so that an old one cannot pass for a new one. ``at`` and all instants here are of
    the streamer's clock. ``stored_lsn``: up to there, on ``timeline``, all is stored; ``source_lsn``: up to there the
    source had flushed, when it was last asked; ``behind_bytes`` lie between. ``caught_up_at``: the last moment of which
    all that the source had flushed by then is stored. Sizes and ``wal_status`` are those of the replication slot.
    ``lost``: the slot was given up by the server or WAL was lost, in words, known since ``lost_at``.
    """

    format: Literal["holdfast-wal-status/1"] = "holdfast-wal-status/1"
    name: str
    app: str
    environment: str
    system_identifier: str
    host: str
    at: datetime
    timeline: int
    stored_lsn: str | None
    source_lsn: str | None
    behind_bytes: int | None
    caught_up_at: datetime | None
    retained_bytes: int | None
    safe_wal_bytes: int | None
    wal_status: str | None
    lost: str | None = None
    lost_at: datetime | None = None

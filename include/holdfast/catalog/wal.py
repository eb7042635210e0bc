"""Lists the pieces of WAL in an environment's store, and reads and writes what is recorded of them.

A piece's record is written first, then the piece itself: it is stored if and only if both stand.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from holdfast.catalog.drafts import read_draft, write_draft
from holdfast.crypto.signing import Signer, Verifier
from holdfast.errors import IntegrityError, ObjectExists, ObjectMissing
from holdfast.manifest.wal import WalRecord
from holdfast.storage.protocol import Store, StoredObject
from holdfast.values import keys
from holdfast.values.wal_names import history_name, is_segment_name, parse_history_name

_PARTIAL = re.compile(r"([0-9A-F]{24})\.([0-9A-F]{8})\.partial")
_TIMELINE = re.compile(r"[0-9A-F]{8}")
_RECORD = ".json"


@dataclass(frozen=True, slots=True)
class WalPiece:
    """One piece of one cluster's WAL: a segment, the first ``end`` bytes of an open one, or a history file.

    ``name`` is what stands in keys, ``file`` what the server calls it. ``stored`` is None where it is not in the store
    (yet); ``is_recorded``: its record is, since ``recorded_at``.
    """

    system_identifier: str
    timeline: int
    kind: Literal["segment", "partial", "history"]
    name: str
    file: str
    end: int | None = None
    stored: StoredObject | None = None
    is_recorded: bool = False
    recorded_at: datetime | None = None

    @classmethod
    def segment(cls, system_identifier: str, name: str) -> WalPiece:
        """A whole segment by its name."""
        return cls(system_identifier, int(name[:8], 16), "segment", name, name)

    @classmethod
    def partial(cls, system_identifier: str, name: str, end: int) -> WalPiece:
        """The first ``end`` bytes of the segment of that name."""
        return cls(system_identifier, int(name[:8], 16), "partial", f"{name}.{end:08X}.partial", name, end)

    @classmethod
    def history(cls, system_identifier: str, timeline: int) -> WalPiece:
        """A timeline's history file."""
        name = history_name(timeline)
        return cls(system_identifier, timeline, "history", name, name)

    @classmethod
    def named(cls, system_identifier: str, name: str) -> WalPiece | None:
        """The piece of that name in keys; None where no piece of ours has it."""
        if is_segment_name(name):
            return cls.segment(system_identifier, name)
        partial = _PARTIAL.fullmatch(name)
        if partial is not None:
            return cls.partial(system_identifier, partial[1], int(partial[2], 16))
        timeline = parse_history_name(name)
        return cls.history(system_identifier, timeline) if timeline is not None else None

    @property
    def is_stored(self) -> bool:
        """Does it stand whole, with its record?"""
        return self.stored is not None and self.is_recorded


@dataclass(frozen=True, slots=True)
class WalCatalog:
    """The WAL of one environment in one store."""

    store: Store
    keys: keys.EnvironmentKeys

    def pieces(self, system_identifier: str | None = None) -> list[WalPiece]:
        """Every piece or remnant of one, of one cluster or of all, ordered by cluster, timeline and name."""
        prefix = self.keys.wal if system_identifier is None else self.keys.wal_of(system_identifier)
        return list(_pieces(self.keys.wal, self.store.list(prefix)))

    def behind(self, system_identifier: str, timeline: int, segment: str) -> list[WalPiece]:
        """The pieces of one timeline whose names sort behind that of a whole segment; all where that is empty."""
        folder = f"{self.keys.wal_of(system_identifier)}{timeline:08X}/"
        after = self.keys.wal_piece(system_identifier, timeline, segment) if segment else ""
        return list(_pieces(self.keys.wal, self.store.list(folder, after=after)))

    def timelines(self, system_identifier: str) -> list[int]:
        """The timelines of one cluster of which something is stored."""
        names = self.store.folders(self.keys.wal_of(system_identifier))
        return [int(name, 16) for name in names if _TIMELINE.fullmatch(name)]

    def systems(self) -> list[str]:
        """The clusters of which something is stored."""
        return [name for name in self.store.folders(self.keys.wal) if name.isascii() and name.isdecimal()]

    def key(self, piece: WalPiece) -> str:
        """Where the piece lies."""
        return self.keys.wal_piece(piece.system_identifier, piece.timeline, piece.name)

    def record_key(self, piece: WalPiece) -> str:
        """Where its record lies."""
        return self.keys.wal_record(piece.system_identifier, piece.timeline, piece.name)

    def record(self, piece: WalPiece, verifier: Verifier) -> WalRecord:
        """What is recorded of a piece; raises ObjectMissing, SignatureError, or IntegrityError for another's record."""
        key = self.record_key(piece)
        found = read_draft(self.store, key, WalRecord, verifier)
        if found is None:
            raise ObjectMissing(f"{key}: not found in {self.store.url}")
        told = (found.kind, found.system_identifier, found.timeline, found.name)
        if told != (piece.kind, piece.system_identifier, piece.timeline, piece.name):
            raise IntegrityError(f"{key}: it is the record of {found.system_identifier}/{found.name}")
        return found

    def write_record(self, piece: WalPiece, record: WalRecord, signer: Signer) -> bool:
        """Record a piece before it is stored; False where the record of the same content stood already.

        Raises IntegrityError where another content is recorded under this name: two servers claim the same WAL.
        """
        try:
            write_draft(self.store, self.record_key(piece), record, signer)
        except ObjectExists:
            known = self.record(piece, signer.verifier())
            if (known.bytes, known.sha256) != (record.bytes, record.sha256):
                raise IntegrityError(
                    f"WAL {self.keys.root}{piece.system_identifier}/{piece.name}: the store has it with other content "
                    f"(sha256 {known.sha256[:16]}…, here {record.sha256[:16]}…)",
                    hint="Two servers write one timeline, such as an old primary that came back: stop one of them.",
                ) from None
            return False
        return True


def _pieces(root: str, listed: Iterable[StoredObject]) -> Iterator[WalPiece]:
    found: dict[tuple[str, str, str], dict[str, StoredObject]] = {}
    for stored in listed:
        system, _, rest = stored.key[len(root) :].partition("/")
        timeline, _, file = rest.partition("/")
        for ending in (keys.WAL_ENDING, _RECORD):
            if file.endswith(ending) and system.isdecimal():
                found.setdefault((system, timeline, file.removesuffix(ending)), {})[ending] = stored
    for (system, timeline, name), objects in sorted(found.items()):
        piece = WalPiece.named(system, name)
        if piece is not None and f"{piece.timeline:08X}" == timeline:
            yield WalPiece(
                system,
                piece.timeline,
                piece.kind,
                name,
                piece.file,
                piece.end,
                objects.get(keys.WAL_ENDING),
                _RECORD in objects,
                objects[_RECORD].modified_at if _RECORD in objects else None,
            )

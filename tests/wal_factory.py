"""Makes stored WAL and base backups of a cluster that never was, by the real writers, for tests that need many."""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import zstandard

from holdfast.catalog import WalPiece
from holdfast.crypto import age
from holdfast.environment import Environment
from holdfast.manifest.base_backup import BaseArtifact, BaseBackupManifest
from holdfast.manifest.wal import WalMark, WalRecord
from holdfast.values import keys
from holdfast.values.ids import RestorePointId
from holdfast.values.lsn import Lsn
from holdfast.values.wal_names import WalSegment
from holdfast.wal.timelines import TimelineHistory

SIZE = 1 << 20
SYSTEM = "7430000000000000001"
# Segment number n of these tests is full n minutes after this.
EPOCH = datetime(2026, 11, 22, 0, 0, tzinfo=UTC)


def first_page(segment: WalSegment, system: str = SYSTEM, timeline: int | None = None) -> bytes:
    """The header of a segment's first page, as PostgreSQL 18 writes it on a little-endian machine."""
    page_timeline = segment.timeline if timeline is None else timeline
    return struct.pack(
        "<HHIQI4xQII", 0xD118, 0x0006, page_timeline, segment.start.value, 0, int(system), segment.size_bytes, 8192
    )


def minute(number: float) -> datetime:
    """When the tests' cluster had filled that many segments."""
    return EPOCH + timedelta(seconds=round(number * 60))


@dataclass(frozen=True)
class WalFactory:
    """Stores pieces in ``environment``; every segment has one mark, in its middle, half a minute before it is full."""

    environment: Environment
    system: str = SYSTEM
    size: int = SIZE

    def segment(self, number: int, timeline: int = 1, *, marked: bool = True, salt: str = "") -> WalPiece:
        """A whole segment."""
        segment = WalSegment(timeline, number, self.size)
        return self.store(WalPiece.segment(self.system, segment.name), self.content(segment, self.size, salt), marked)

    def segments(self, first: int, last: int, timeline: int = 1) -> None:
        """Segments ``first`` to ``last``."""
        for number in range(first, last + 1):
            self.segment(number, timeline)

    def partial(self, number: int, end: int, timeline: int = 1) -> WalPiece:
        """The beginning of a segment."""
        segment = WalSegment(timeline, number, self.size)
        return self.store(WalPiece.partial(self.system, segment.name, end), self.content(segment, end))

    def history(self, timeline: int, *switches: tuple[int, Lsn], recorded: bool = True) -> WalPiece:
        """A history file; ``recorded``: its record tells the switches, too."""
        text = "".join(f"{ancestor}\t{left}\tno recovery target specified\n\n" for ancestor, left in switches)
        told = TimelineHistory(timeline, switches).recorded() if recorded else ()
        return self.store(WalPiece.history(self.system, timeline), text.encode(), switches=told)

    def content(self, segment: WalSegment, end: int, salt: str = "") -> bytes:
        """What the beginning of a segment holds; the timeline's own, so that none passes for another's."""
        body = hashlib.sha256(f"{segment}{self.system}{salt}".encode()).digest() * (self.size // 32)
        return (first_page(segment, self.system) + body)[:end]

    def record(
        self,
        piece: WalPiece,
        content: bytes,
        marked: bool = True,
        switches: tuple[tuple[int, str], ...] = (),
    ) -> WalRecord:
        """What is recorded of a piece."""
        marks: tuple[WalMark, ...] = ()
        end_lsn = None
        number = 0
        if piece.kind != "history":
            segment = WalSegment.parse(piece.name[:24], self.size)
            number, middle = segment.number, segment.start + self.size // 2
            end_lsn = segment.start + len(content)
            at = minute(number + 0.5)
            if marked and middle <= end_lsn:
                marks = (WalMark(number=number, at=at, seen_at=at, lsn=str(middle)),)
        return WalRecord(
            kind=piece.kind,
            system_identifier=piece.system_identifier,
            timeline=piece.timeline,
            name=piece.name,
            segment_bytes=self.size,
            server_version_num=180006,
            bytes=len(content),
            sha256=hashlib.sha256(content).hexdigest(),
            end_lsn=None if end_lsn is None else str(end_lsn),
            received_at=minute(number + 1),
            marks=marks,
            switches=switches,
        )

    def store(
        self, piece: WalPiece, content: bytes, marked: bool = True, switches: tuple[tuple[int, str], ...] = ()
    ) -> WalPiece:
        """Write the record, then the piece."""
        record = self.record(piece, content, marked, switches)
        self.environment.wal_catalog.write_record(piece, record, self.environment.signer())
        self.put(piece, content)
        return piece

    def put(self, piece: WalPiece, content: bytes) -> None:
        """Write the piece alone."""
        self.environment.store.put(self.environment.wal_catalog.key(piece), self.sealed(content))

    def sealed(self, content: bytes) -> Iterator[bytes]:
        """As stored: zstd inside age."""
        return age.encrypt([zstandard.compress(content, 1)], self.environment.recipients())

    def base(
        self,
        start: Lsn,
        stop: Lsn,
        *,
        timeline: int = 1,
        at: datetime | None = None,
        chain: Sequence[str] = (),
        content: bytes = b"tar",
    ) -> str:
        """A committed base backup, which had ended when its stop was reached; its id."""
        finished = at or minute(stop.value / self.size)
        id = RestorePointId.make(finished, "base_backup", f"{self.system} {timeline} {start} {stop}")
        place = self.environment.keys
        artifacts = []
        for name, kind in ((keys.BASE_TAR, "base"), (keys.BACKUP_MANIFEST, "backup_manifest")):
            sealed = b"".join(self.sealed(content))
            self.environment.store.put(place.base_backup(id, name), [sealed])
            digest = hashlib.sha256(sealed).hexdigest()
            artifacts.append(
                BaseArtifact(name=name, content=kind, bytes=len(sealed), sha256=digest, recipients=("age1x",))  # type: ignore[arg-type]
            )
        manifest = BaseBackupManifest(
            id=str(id),
            app=place.app,
            environment=place.environment,
            kind="incremental" if chain else "full",
            parent=chain[-1] if chain else None,
            chain=tuple(chain),
            holdfast_version="0.1.0",
            client_version="18.6",
            server_version="18.6",
            server_version_num=180006,
            system_identifier=self.system,
            timeline=timeline,
            start_lsn=str(start),
            stop_lsn=str(stop),
            segment_bytes=self.size,
            has_checksums=True,
            superuser="postgres",
            settings={"max_connections": 100},
            started_at=finished - timedelta(seconds=10),
            finished_at=finished,
            files=1,
            data_bytes=len(content),
            artifacts=tuple(artifacts),
        )
        self.environment.base_catalog.commit(manifest, self.environment.signer())
        return str(id)

    def at(self, number: float) -> Lsn:
        """The position that many segments from the beginning of the log."""
        return Lsn(round(number * self.size))

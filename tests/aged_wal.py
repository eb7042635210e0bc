"""Makes small base backups and WAL of any age by the real writers, for tests of what becomes of them with time."""

from __future__ import annotations

import os
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from holdfast.catalog.wal import WalPiece
from holdfast.environment import Environment
from holdfast.manifest.base_backup import BaseArtifact, BaseBackupManifest
from holdfast.manifest.wal import WalMark, WalRecord
from holdfast.values import keys
from holdfast.values.ids import RestorePointId
from holdfast.values.lsn import Lsn
from holdfast.values.wal_names import WalSegment

MIB = 1 << 20
SYSTEM = "7430000000000000001"
CONTENT = b"x" * 32


@dataclass(frozen=True)
class AgedWal:
    """Stores WAL and base backups of one cluster with segments of 1 MiB, in a local store whose clock can be set."""

    environment: Environment
    system: str = SYSTEM

    def segment(self, number: int, at: datetime, timeline: int = 1) -> WalPiece:
        """A whole segment that the store received at ``at``, with a mark of then."""
        segment = WalSegment(timeline, number, MIB)
        return self._store(WalPiece.segment(self.system, segment.name), at, segment.end, MIB, segment)

    def partial(self, number: int, end: int, at: datetime, timeline: int = 1) -> WalPiece:
        """The first ``end`` bytes of a segment."""
        segment = WalSegment(timeline, number, MIB)
        return self._store(WalPiece.partial(self.system, segment.name, end), at, segment.start + end, end, segment)

    def history(self, timeline: int, at: datetime, switches: tuple[tuple[int, str], ...]) -> WalPiece:
        """A timeline's history file."""
        piece = WalPiece.history(self.system, timeline)
        return self._store(piece, at, None, 40, None, switches)

    def segments(self, first: int, last: int, start: datetime, step: timedelta, timeline: int = 1) -> list[WalPiece]:
        """Segments ``first`` to ``last``, the first received at ``start``."""
        return [
            self.segment(number, start + step * count, timeline) for count, number in enumerate(range(first, last + 1))
        ]

    def base(
        self,
        number: int,
        at: datetime,
        *,
        timeline: int = 1,
        parents: tuple[RestorePointId, ...] = (),
        segments: int = 1,
        is_committed: bool = True,
    ) -> RestorePointId:
        """A base backup that starts in segment ``number`` and stops ``segments - 1`` later."""
        environment, id = self.environment, RestorePointId.make(at, "base_backup", f"{self.system} {number} {at}")
        start = WalSegment(timeline, number, MIB).start + 40
        key = environment.keys.base_backup(id, keys.BASE_TAR)
        environment.store.put(key, [CONTENT])
        self.age(key, at)
        if not is_committed:
            return id
        artifact = BaseArtifact(
            name=keys.BASE_TAR, content="base", bytes=len(CONTENT), sha256="0" * 64, recipients=("age1x",)
        )
        manifest = BaseBackupManifest(
            id=str(id),
            app=environment.app,
            environment=environment.name,
            kind="incremental" if parents else "full",
            parent=str(parents[-1]) if parents else None,
            chain=tuple(map(str, parents)),
            holdfast_version="0.1.0",
            client_version="18.6",
            server_version="18.6",
            server_version_num=180006,
            system_identifier=self.system,
            timeline=timeline,
            start_lsn=str(start),
            stop_lsn=str(start + (segments - 1) * MIB + 256),
            segment_bytes=MIB,
            has_checksums=True,
            superuser="postgres",
            settings={},
            started_at=at,
            finished_at=at + timedelta(seconds=1),
            files=1,
            data_bytes=1,
            artifacts=(artifact,),
        )
        environment.base_catalog.commit(manifest, environment.signer())
        for name in (keys.MANIFEST, keys.SIGNATURE):
            self.age(environment.keys.base_backup(id, name), at)
        return id

    def record_alone(self, piece: WalPiece, at: datetime) -> None:
        """What a streamer leaves that was killed between the record and the object."""
        self._store(piece, at, None, MIB, None)
        self.environment.store.delete(self.environment.wal_catalog.key(piece))

    def age(self, key: str, at: datetime) -> None:
        """Let the store have received it then; other stores than folders have clocks of their own."""
        if self.environment.store.url.startswith("file://"):
            path = Path(self.environment.store.url.removeprefix("file://")) / key
            os.utime(path, (at.timestamp(), at.timestamp()))

    def names(self) -> list[str]:
        """The WAL that is stored whole, in order."""
        return [piece.name for piece in self.environment.wal_catalog.pieces(self.system) if piece.is_stored]

    def _store(
        self,
        piece: WalPiece,
        at: datetime,
        end: Lsn | None,
        size: int,
        segment: WalSegment | None,
        switches: tuple[tuple[int, str], ...] = (),
    ) -> WalPiece:
        catalog, signer = self.environment.wal_catalog, self.environment.signer()
        lsn = None if segment is None else segment.start + 128
        record = WalRecord(
            kind=piece.kind,
            system_identifier=self.system,
            timeline=piece.timeline,
            name=piece.name,
            segment_bytes=MIB,
            server_version_num=180006,
            bytes=size,
            sha256="0" * 64,
            end_lsn=None if end is None else str(end),
            received_at=at,
            marks=() if lsn is None else (WalMark(number=1, at=at, seen_at=at, lsn=str(lsn)),),
            switches=switches,
        )
        catalog.write_record(piece, record, signer)
        self.environment.store.put(catalog.key(piece), [CONTENT])
        for key in (catalog.key(piece), catalog.record_key(piece)):
            self.age(key, at)
        return piece


def name(number: int, timeline: int = 1) -> str:
    """A segment's name."""
    return WalSegment(timeline, number, MIB).name

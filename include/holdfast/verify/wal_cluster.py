"""What of one cluster's WAL and base backups a check is to read, and what it has found of it."""

from __future__ import annotations

import secrets
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from holdfast.catalog import WalPiece
from holdfast.catalog.cluster_wal import ClusterWal
from holdfast.manifest.base_backup import BaseBackupManifest
from holdfast.manifest.wal import WalCheck
from holdfast.values.ids import RestorePointId
from holdfast.values.keys import EnvironmentKeys
from holdfast.values.lsn import Lsn
from holdfast.values.wal_names import WalSegment
from holdfast.verify.wal_memory import WalMemory, ranges
from holdfast.verify.wal_piece import Checked

TIER = "wal_check"


@dataclass(slots=True)
class ClusterCheck:
    """One cluster's share of a check; ``answers`` grow as pieces and base backups are read."""

    wal: ClusterWal
    bases: Sequence[BaseBackupManifest]
    memory: WalMemory
    everything: bool
    answers: list[Checked] = field(default_factory=list)

    @property
    def _floor_name(self) -> str:
        """The number of the first segment that is needed, as it stands in names behind the timeline."""
        oldest = min(Lsn.parse(base.start_lsn) for base in self.bases)
        return WalSegment.at(1, oldest, self.wal.segment_bytes).name[8:]

    def needed(self, pieces: Sequence[WalPiece]) -> Iterator[WalPiece]:
        """The stored pieces from the oldest base backup on; beginnings that longer ones have replaced are left out."""
        floor = self._floor_name
        farthest = {one[-1].name for one in self.wal.pieces.values() if one}
        for piece in pieces:
            is_needed = piece.kind == "history" or (piece.name in farthest and piece.name[8:24] >= floor)
            if piece.is_stored and is_needed:
                yield piece

    def halves(self, pieces: Sequence[WalPiece]) -> Iterator[WalPiece]:
        """Pieces of which record or object is missing, where they matter: the newest are still on their way."""
        whole = [piece for piece in pieces if piece.is_stored and piece.kind != "history"]
        stored = {piece.name[:24] for piece in whole}
        newest = {piece.timeline: piece.name[:24] for piece in whole}
        for piece in pieces:
            if piece.is_stored or (piece.kind != "history" and piece.name[8:24] < self._floor_name):
                continue
            is_behind = piece.name[:24] < newest.get(piece.timeline, "") and piece.name[:24] not in stored
            if piece.kind == "history" or is_behind or (piece.kind == "segment" and not piece.is_recorded):
                yield piece

    def is_known(self, piece: WalPiece) -> bool:
        """Need it not be read again?"""
        return not self.everything and self.memory.knows(piece)

    def is_known_base(self, base: BaseBackupManifest, written_at: datetime) -> bool:
        """Need none of its objects be read again?"""
        return not self.everything and self.memory.knows_base(base.id, written_at)

    def record(
        self, keys: EnvironmentKeys, began_at: datetime, known: Sequence[str], *, is_complete: bool, is_key_right: bool
    ) -> WalCheck:
        """What is to be remembered: ``known`` before and read now. A key that opens nothing here proves no damage."""
        wrong = [answer for answer in self.answers if answer.fault is not None]
        whole = {answer.name for answer in self.answers} - {answer.name for answer in wrong}
        faults = {answer.key for answer in wrong if not answer.is_gone and (is_key_right or not answer.is_locked)}
        if not is_complete:
            faults |= set(self.memory.faults) - {answer.key for answer in self.answers}
        return WalCheck(
            id=str(RestorePointId.make(began_at, TIER, secrets.token_hex(8))),
            app=keys.app,
            environment=keys.environment,
            system_identifier=self.wal.system_identifier,
            checked_at=began_at,
            ranges=ranges(whole | set(known), self.wal.segment_bytes),
            faults=tuple(sorted(faults)),
        )

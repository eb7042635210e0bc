"""What lies in a store of base backups and WAL, as retention must know it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from holdfast.catalog import Entry
from holdfast.catalog.wal import WalPiece
from holdfast.catalog.windows import Coverage
from holdfast.environment import Environment
from holdfast.errors import ObjectMissing, PermanentError, UsageError
from holdfast.manifest.base_backup import BaseBackupManifest
from holdfast.retention.base_backups import BaseBackup
from holdfast.retention.wal import Piece
from holdfast.values import keys
from holdfast.values.ids import RestorePointId
from holdfast.values.lsn import Lsn
from holdfast.values.wal_names import WalSegment


@dataclass(frozen=True, slots=True)
class ListedPiece(Piece):
    """A piece with what the catalog knows of it."""

    listed: WalPiece = field(kw_only=True)


@dataclass(frozen=True, slots=True)
class WalState:
    """``entries``: all base backups and remnants of them; ``backups``: the committed ones; WAL by cluster."""

    entries: Mapping[RestorePointId, Entry]
    backups: tuple[BaseBackup, ...]
    pieces: Mapping[str, tuple[ListedPiece, ...]]

    @property
    def is_empty(self) -> bool:
        """Is there nothing at all?"""
        return not self.entries and not self.pieces

    def confirmed_by(self, coverage: Coverage | None) -> WalState:
        """Nothing is recovered from a base backup without a window, such as where a check found its WAL damaged."""
        if coverage is None:
            return self
        good = {window.base_backup for window in coverage.windows}
        backups = (replace(each, has_wal=each.has_wal and str(each.id) in good) for each in self.backups)
        return replace(self, backups=tuple(backups))


def read_wal_state(environment: Environment) -> WalState:
    """List base backups, read their manifests, and then list the WAL: that of each committed one is there by then."""
    entries = {entry.id: entry for entry in environment.base_catalog.entries()}
    committed = [entry for entry in entries.values() if entry.is_committed]
    verifier = environment.verifier() if committed else None
    manifests: dict[RestorePointId, BaseBackupManifest] = {}
    for entry in committed:
        try:
            assert verifier is not None
            manifests[entry.id] = environment.base_catalog.manifest(entry.id, verifier)
        except UsageError:
            raise
        except PermanentError:
            continue
    pieces: dict[str, list[ListedPiece]] = {}
    for piece in environment.wal_catalog.pieces():
        found = _piece(environment, piece)
        if found is not None:
            pieces.setdefault(piece.system_identifier, []).append(found)
    stored = _Stored.of(pieces)
    backups = {entry.id: _backup(entry, manifests.get(entry.id), stored) for entry in committed}
    return WalState(
        entries,
        tuple(_with_chain(backup, backups) for backup in backups.values()),
        {system: tuple(found) for system, found in pieces.items()},
    )


@dataclass(frozen=True, slots=True)
class _Stored:
    """How many bytes of each segment's beginning are stored, by cluster and segment; -1 of a whole one."""

    ends: Mapping[tuple[str, str], int]

    @classmethod
    def of(cls, pieces: Mapping[str, list[ListedPiece]]) -> _Stored:
        ends: dict[tuple[str, str], int] = {}
        for system, found in pieces.items():
            for piece in found:
                if piece.is_stored and piece.segment is not None:
                    known = ends.get((system, piece.segment), 0)
                    ends[system, piece.segment] = -1 if piece.end is None or known < 0 else max(known, piece.end)
        return cls(ends)

    def reaches(self, system: str, segment: WalSegment, stop: Lsn) -> bool:
        """Is the segment stored whole, or at least up to ``stop`` in it?"""
        end = self.ends.get((system, segment.name), 0)
        return end < 0 or (end > 0 and segment.start + end >= stop)


def _piece(environment: Environment, piece: WalPiece) -> ListedPiece | None:
    written_at = None if piece.stored is None else piece.stored.modified_at
    if written_at is None:
        try:
            written_at = environment.store.head(environment.wal_catalog.record_key(piece)).modified_at
        except ObjectMissing:
            return None  # gone since the listing
    segment = None if piece.kind == "history" else piece.file
    has_object = piece.stored is not None
    return ListedPiece(piece.timeline, segment, piece.end, written_at, has_object, piece.is_recorded, listed=piece)


def _backup(entry: Entry, manifest: BaseBackupManifest | None, stored: _Stored) -> BaseBackup:
    """What is known of one without regard to its chain."""
    stored_at = entry.objects[keys.MANIFEST].modified_at
    untrusted = BaseBackup(entry.id, stored_at, entry.is_held, False, entry.id.opened_at)
    if manifest is None:
        return untrusted
    try:
        start, stop = Lsn.parse(manifest.start_lsn), Lsn.parse(manifest.stop_lsn)
        first = WalSegment.at(manifest.timeline, start, manifest.segment_bytes)
        chain = tuple(RestorePointId.parse(parent) for parent in manifest.chain)
    except UsageError:
        return untrusted
    # A backup that stops at a segment's first byte needs nothing of that segment.
    last = WalSegment.at(manifest.timeline, Lsn(max(stop.value - 1, start.value)), manifest.segment_bytes)
    needed = (WalSegment(first.timeline, number, first.size_bytes) for number in range(first.number, last.number + 1))
    return replace(
        untrusted,
        is_trusted=True,
        finished_at=manifest.finished_at,
        system_identifier=manifest.system_identifier,
        start=first,
        chain=chain,
        is_whole=not entry.missing(manifest),
        has_wal=all(stored.reaches(manifest.system_identifier, segment, min(stop, segment.end)) for segment in needed),
    )


def _with_chain(backup: BaseBackup, backups: Mapping[RestorePointId, BaseBackup]) -> BaseBackup:
    parents = [backups.get(parent) for parent in backup.chain]
    is_whole = backup.is_whole and all(parent is not None and parent.is_whole for parent in parents)
    return replace(backup, is_whole=is_whole)

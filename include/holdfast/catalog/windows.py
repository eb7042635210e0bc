"""Reads from a store what can be recovered from when to when, in few reads."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime

from holdfast.catalog.base_backups import BaseBackupCatalog
from holdfast.catalog.cluster_wal import ClusterWal, ReadHistory, read_cluster
from holdfast.catalog.coverage import Coverage, Gap, Stretch, Window
from holdfast.catalog.marks import said
from holdfast.catalog.usable_bases import usable_bases
from holdfast.catalog.wal import WalCatalog, WalPiece
from holdfast.catalog.wal_checks import WalCheckCatalog
from holdfast.catalog.wal_reading import history_reader
from holdfast.crypto.age import Identity
from holdfast.crypto.signing import Verifier
from holdfast.errors import PermanentError, StoreRefused
from holdfast.manifest.base_backup import BaseBackupManifest
from holdfast.values.lsn import Lsn
from holdfast.wal.coverage import BaseSpan, Hole, Measured, Reach, measure

__all__ = ["Coverage", "Gap", "Stretch", "Window", "read_coverage"]

# Each round takes out what it has found not to be trusted at an end.
_MOST_ROUNDS = 16


def read_coverage(
    wal_catalog: WalCatalog,
    base_catalog: BaseBackupCatalog,
    verifier: Verifier,
    identities: Sequence[Identity] | None = None,
    *,
    believe_checks: bool = True,
) -> Coverage:
    """What can be recovered, by one listing each of WAL and base backups, their manifests, and records at the ends.

    What is damaged or cannot be trusted is left out and told of, not raised. ``identities`` are only asked where a
    history file's record does not tell its switches. ``believe_checks``: what the newest check has found damaged counts
    as missing.
    """
    by_system: dict[str, list[WalPiece]] = {}
    for piece in wal_catalog.pieces():
        by_system.setdefault(piece.system_identifier, []).append(piece)
    faults: list[str] = []
    damaged = _known_damage(wal_catalog, verifier, by_system, faults) if believe_checks else set()
    bases, wrong = usable_bases(base_catalog, verifier, damaged)
    faults += wrong
    notes: list[str] = []
    windows: list[Window] = []
    gaps: list[Gap] = []
    read_history = history_reader(wal_catalog, identities)
    for system in sorted(by_system.keys() | {base.system_identifier for base in bases}):
        own = [base for base in bases if base.system_identifier == system]
        one = _Cluster(wal_catalog, verifier, system, by_system.get(system, []), own, damaged, read_history)
        windows += one.windows()
        gaps += one.gaps()
        faults += one.faults()
        notes += one.notes()
    windows.sort(key=lambda window: (window.begins_at, window.timeline))
    return Coverage(tuple(windows), tuple(gaps), tuple(bases), tuple(faults), tuple(notes))


class _Cluster:
    """What can be recovered of one cluster."""

    def __init__(
        self,
        catalog: WalCatalog,
        verifier: Verifier,
        system: str,
        pieces: Sequence[WalPiece],
        bases: Sequence[BaseBackupManifest],
        damaged: set[str],
        read_history: ReadHistory,
    ) -> None:
        self._system, self._pieces = system, pieces
        self._bases = {base.id: base for base in bases}
        self._spans = [
            BaseSpan(base.id, base.timeline, Lsn.parse(base.start_lsn), Lsn.parse(base.stop_lsn)) for base in bases
        ]
        size = bases[-1].segment_bytes if bases else None
        self._wal = read_cluster(
            catalog, verifier, system, pieces, segment_bytes=size, damaged=damaged, read_history=read_history
        )
        self._measured = Measured((), (), ())
        self._ends: dict[tuple[int, Lsn], datetime | None] = {}
        if self._wal is not None:
            self._measured = self._trusted(self._wal)

    def _trusted(self, wal: ClusterWal) -> Measured:
        """Measured without pieces whose records are not to be trusted, as far as they lie at an end."""
        measured = measure(wal.stored(), self._spans)
        for _ in range(_MOST_ROUNDS):
            ends = {(reach.timeline, reach.end_lsn): reach.path for reach in measured.reaches}
            at = [((end.value - 1) // wal.segment_bytes, path) for (_, end), path in ends.items()]
            if not [number for number, path in at if wal.without_distrusted(path, number)]:
                break
            measured = measure(wal.stored(), self._spans)
        return measured

    def windows(self) -> Iterator[Window]:
        """One for each base backup and timeline."""
        for reach in self._measured.reaches:
            base = self._bases[reach.base]
            ends_at = self._ends_at(reach)
            yield Window(
                timeline=reach.timeline,
                begins_at=base.finished_at,
                # An instant before the backup's end is no instant of this window.
                ends_at=None if ends_at is None or ends_at < base.finished_at else ends_at,
                start_lsn=Lsn.parse(base.stop_lsn),
                end_lsn=reach.end_lsn,
                base_backup=base.id,
                system_identifier=self._system,
            )

    def _ends_at(self, reach: Reach) -> datetime | None:
        at = (reach.timeline, reach.end_lsn)
        if at not in self._ends and self._wal is not None:
            floor = min(span.start_lsn for span in self._spans)
            self._ends[at] = self._wal.marks.newest(reach.path, reach.end_lsn, floor)
        return self._ends.get(at)

    def gaps(self) -> Iterator[Gap]:
        """What is missing, with the instants around it."""
        for hole in self._measured.holes:
            before, behind = self._around(hole)
            yield Gap(
                self._system,
                hole.first.timeline,
                hole.first.name,
                hole.last.name,
                hole.start_lsn,
                hole.end_lsn,
                before,
                behind,
            )

    def _around(self, hole: Hole) -> tuple[datetime | None, datetime | None]:
        if self._wal is None:
            return None, None
        stored, marks = self._wal.stored(), self._wal.marks
        before = marks.newest(stored.history(hole.first.timeline), hole.start_lsn, Lsn(0))
        timelines = sorted({timeline for timeline, _ in self._wal.pieces})
        ways = [stored.history(timeline) for timeline in timelines]
        onward = (marks.oldest(way, hole.end_lsn) for way in ways if way.includes(hole.last.timeline, hole.start_lsn))
        return before, next((moment for moment in onward if moment is not None), None)

    def faults(self) -> Iterator[str]:
        """What is damaged, cannot be trusted, or cannot be used."""
        if self._wal is not None:
            yield from self._wal.faults
            yield from self._wal.marks.faults
            yield from self._without_history(self._wal)
        usable = {reach.base for reach in self._measured.reaches}
        for id in self._bases.keys() - usable:
            yield f"base backup {id}: WAL that it needs up to its own end is missing, so it cannot be used"

    def _without_history(self, wal: ClusterWal) -> Iterator[str]:
        """Timelines that came of others of the store, it is not known where. The first one there needs no history."""
        timelines = sorted({timeline for timeline, _ in wal.pieces} | {span.timeline for span in self._spans})
        for timeline in timelines[1:]:
            if timeline not in wal.histories:
                yield f"timeline {timeline} of cluster {self._system}: its history file is not stored, or not readable"

    def notes(self) -> Iterator[str]:
        """What is stored without serving any recovery."""
        stored = [piece for piece in self._pieces if piece.is_stored and piece.kind != "history"]
        if not stored:
            return
        if not self._bases:
            yield (
                f"cluster {self._system}: WAL from {stored[0].file} to {stored[-1].file} is stored, but no base backup "
                "that could be used: nothing can be recovered with it"
            )
            return
        for timeline in self._measured.unreachable:
            yield f"timeline {timeline} of cluster {self._system}: no base backup leads to its WAL"


def _known_damage(catalog: WalCatalog, verifier: Verifier, systems: Iterable[str], faults: list[str]) -> set[str]:
    """The objects that the newest check of each cluster has found damaged: each check looks at those again."""
    found: set[str] = set()
    checks = WalCheckCatalog(catalog.store, catalog.keys)
    for system in systems:
        try:
            newest = checks.newest(system, verifier)
        except StoreRefused:
            raise
        except PermanentError as error:
            faults.append(said(error))
            continue
        found.update(newest.check.faults if newest is not None else ())
    return found

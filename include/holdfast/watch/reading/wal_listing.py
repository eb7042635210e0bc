"""Lists a cluster's WAL and base backups as often as the watch looks: what it knows already is not asked for again."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from holdfast.catalog import BaseBackupCatalog, Entry, WalCatalog, WalPiece
from holdfast.crypto.signing import Verifier
from holdfast.environment import Environment
from holdfast.errors import PermanentError, StoreRefused
from holdfast.manifest.base_backup import BaseBackupManifest
from holdfast.storage.protocol import StoredObject
from holdfast.values.ids import RestorePointId
from holdfast.values.wal_names import WalSegment, is_segment_name
from holdfast.verify.wal_memory import ranges
from holdfast.watch.facts import WalMemory

# So many keys are a handful of requests: no reason to rely on memory.
FEW_KEYS = 5_000
_ALL_AGAIN = timedelta(days=1)
# Pieces are stored side by side, and one may be late: these are listed again, which takes the same one request.
_OVERLAP = 400


@dataclass(frozen=True, slots=True)
class ListedWal(WalCatalog):
    """One cluster's WAL as it was listed. ``asked`` are the pieces that the store was really asked for.

    ``keys_listed`` counts what a whole listing would bring; ``listed_at`` is when there was one.
    """

    listed: tuple[WalPiece, ...]
    asked: tuple[WalPiece, ...]
    keys_listed: int
    listed_at: datetime

    def pieces(self, system_identifier: str | None = None) -> list[WalPiece]:
        """What was listed."""
        return [piece for piece in self.listed if system_identifier in (None, piece.system_identifier)]

    @property
    def newest_at(self) -> datetime | None:
        """When the store received the newest of what was asked for."""
        stored = (piece.stored for piece in self.asked if piece.kind != "history" and piece.is_stored)
        return max((one.modified_at for one in stored if one is not None), default=None)


def list_all(environment: Environment, system: str, now: datetime) -> ListedWal:
    """The whole listing of one cluster's WAL."""
    found = tuple(environment.wal_catalog.pieces(system))
    return ListedWal(environment.store, environment.keys, found, found, 2 * len(found), now)


def list_wal(environment: Environment, system: str, now: datetime, memory: WalMemory | None) -> ListedWal:
    """The listing of one cluster's WAL; of a long one only what is new, once a day all of it."""
    if memory is None or memory.keys <= FEW_KEYS or not is_fresh(memory.listed_at, now):
        return list_all(environment, system, now)
    catalog = environment.wal_catalog
    known = {piece.name: piece for piece in _recalled(environment, system, memory)}
    asked: list[WalPiece] = []
    for timeline in catalog.timelines(system):
        whole = sorted(name for name in known if is_segment_name(name) and int(name[:8], 16) == timeline)
        for name in whole[-_OVERLAP:]:
            del known[name]
        asked += catalog.behind(system, timeline, next(iter(whole[-_OVERLAP - 1 : -_OVERLAP]), ""))
    found = {piece.name: piece for piece in asked}
    listed = tuple(sorted((known | found).values(), key=lambda piece: (piece.timeline, piece.name)))
    return ListedWal(environment.store, environment.keys, listed, tuple(asked), 2 * len(listed), memory.listed_at)


def is_fresh(at: datetime, now: datetime) -> bool:
    """May what was found then still be relied on?"""
    return timedelta() <= now - at < _ALL_AGAIN


def bases_of(
    environment: Environment, system: str, verifier: Verifier, now: datetime, memory: WalMemory | None
) -> ClusterBases:
    """The base backups of one cluster, of which those are not read again that were read since yesterday."""
    store, keys = environment.store, environment.keys
    if memory is None or not is_fresh(memory.bases_at, now):
        return ClusterBases(store, keys, system, verifier, now)
    known = {one.id: one for one in memory.bases}
    return ClusterBases(store, keys, system, verifier, memory.bases_at, known)


def remembered(wal: ListedWal, bases: ClusterBases, segment_bytes: int) -> WalMemory:
    """What the next look needs not ask for."""
    names: Iterable[str] = ()
    if wal.keys_listed > FEW_KEYS:
        names = {piece.name for piece in wal.listed if piece.is_stored and piece.kind != "partial"}
    found = tuple(ranges(names, segment_bytes))
    return WalMemory(
        listed_at=wal.listed_at,
        keys=wal.keys_listed,
        segment_bytes=segment_bytes,
        ranges=found,
        bases=bases.manifests(),
        bases_at=bases.read_at,
    )


def _recalled(environment: Environment, system: str, memory: WalMemory) -> Iterator[WalPiece]:
    for first, last in memory.ranges:
        names: Iterable[str] = [first]
        if is_segment_name(first):
            begin, end = (WalSegment.parse(name, memory.segment_bytes) for name in (first, last))
            numbers = range(begin.number, end.number + 1)
            names = (WalSegment(begin.timeline, number, memory.segment_bytes).name for number in numbers)
        for name in names:
            piece = WalPiece.named(system, name)
            if piece is not None:
                key = environment.wal_catalog.key(piece)
                stored = StoredObject(key, 0, memory.listed_at)
                yield WalPiece(
                    system, piece.timeline, piece.kind, name, piece.file, None, stored, True, memory.listed_at
                )


@dataclass(frozen=True, slots=True)
class ClusterBases(BaseBackupCatalog):
    """The base backups of one cluster; manifests that are ``known`` since ``read_at`` are not read again."""

    system: str
    verifier: Verifier
    read_at: datetime
    known: dict[str, BaseBackupManifest] = field(default_factory=dict)
    seen: set[str] = field(default_factory=set)

    def entries(self) -> list[Entry]:
        """Those of the cluster, and those of which nobody can tell whose they are."""
        return [entry for entry in BaseBackupCatalog.entries(self) if self._is_own(entry)]

    def manifest(self, id: RestorePointId, verifier: Verifier) -> BaseBackupManifest:
        """As the catalog's own."""
        found = self.known.get(str(id))
        if found is None:
            found = self.known[str(id)] = BaseBackupCatalog.manifest(self, id, verifier)
        self.seen.add(str(id))
        return found

    def manifests(self) -> tuple[BaseBackupManifest, ...]:
        """Those that are still there."""
        return tuple(self.known[id] for id in sorted(self.seen))

    def _is_own(self, entry: Entry) -> bool:
        if not entry.is_committed:
            return False
        try:
            return self.manifest(entry.id, self.verifier).system_identifier == self.system
        except StoreRefused:
            raise
        except PermanentError:
            return True

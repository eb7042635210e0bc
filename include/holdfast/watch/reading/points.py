"""The newest points of every tier of one place: what is known of them already is not read again."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from itertools import chain, islice

from holdfast.catalog.catalog import Entry
from holdfast.crypto.signing import SIGNATURE_BYTES, Verifier
from holdfast.errors import ObjectMissing, PermanentError, StoreRefused
from holdfast.values import keys
from holdfast.values.ids import RestorePointId
from holdfast.watch.facts import HISTORY, EnvironmentFacts, FaultyPoint, PointFacts, UnfinishedPoint
from holdfast.watch.reading.checks import with_check
from holdfast.watch.reading.places import Place, Told, demand_small
from holdfast.watch.reading.round import Reading, fault, newest_first

# Whoever puts forged folders there, or a database that fails for months, must not make a round read them all.
_MOST_LOOKED = 10 * HISTORY


@dataclass(frozen=True, slots=True)
class PointsRead:
    """What one place holds; ``newest``: what the manifest of each tier's newest sound point tells.

    ``standing``: the ids of all that are there; None where that is not known.
    """

    points: tuple[PointFacts, ...] = ()
    counts: Mapping[str, int] = field(default_factory=dict)
    faulty: tuple[FaultyPoint, ...] = ()
    unfinished: tuple[UnfinishedPoint, ...] = ()
    oldest: datetime | None = None
    newest: Mapping[RestorePointId, Told] = field(default_factory=dict)
    standing: frozenset[str] | None = None


def known_of(place: Place, known: EnvironmentFacts | None) -> PointsRead:
    """What an earlier round has read of a place."""
    if known is None:
        return PointsRead()
    return PointsRead(
        points=tuple(point for point in known.points if point.tier in place.tiers),
        counts={tier: count for tier, count in known.counts.items() if tier in place.tiers},
        faulty=tuple(point for point in known.faulty if point.tier in place.tiers),
        unfinished=tuple(point for point in known.unfinished if point.tier in place.tiers),
    )


def read_points(reading: Reading, place: Place, known: PointsRead) -> PointsRead:
    """The points of a place, those that are ``known`` not read again but for the newest of each tier.

    A known point that is gone was expired, or vanished (see vanished.py). Raises StoreError and StoreRefused.
    """
    if reading.verifier is None:
        return _without_keys(place, known)
    return _Reader(reading, place, known, reading.verifier).read()


def _without_keys(place: Place, known: PointsRead) -> PointsRead:
    """Nothing can be believed but what was believed before; how many there are shows all the same."""
    ids = place.ids()
    standing = {str(id) for id in ids}
    return PointsRead(
        points=tuple(point for point in known.points if point.id in standing),
        counts=_counted(ids),
        faulty=tuple(point for point in known.faulty if point.id in standing),
        unfinished=tuple(point for point in known.unfinished if point.id in standing),
        oldest=min((id.opened_at for id in ids), default=None),
    )


def _counted(ids: Iterable[RestorePointId]) -> dict[str, int]:
    counts: dict[str, int] = {}
    for id in ids:
        counts[id.tier] = counts.get(id.tier, 0) + 1
    return counts


class _Reader:
    """Looks into folders and reads manifests until the history of every tier is known."""

    def __init__(self, reading: Reading, place: Place, known: PointsRead, verifier: Verifier) -> None:
        self._reading, self._place, self._verifier = reading, place, verifier
        self._known = {RestorePointId.parse(point.id): point for point in known.points}
        self._known_faults = {fault.id: fault for fault in known.faulty}
        self._tiers: dict[str, list[RestorePointId]] = {}
        self._looked: dict[RestorePointId, Entry] = {}
        self._sound: dict[RestorePointId, PointFacts] = {}
        self._told: dict[RestorePointId, Told] = {}
        self._faults: dict[RestorePointId, FaultyPoint] = {}

    def read(self) -> PointsRead:
        """Everything, by as many rounds of looking as unfinished and forged points make needed."""
        ids = self._place.ids()
        for id in newest_first(ids, self._reading.now):
            self._tiers.setdefault(id.tier, []).append(id)
        # What is known is looked at again where the newest are listed anyway: somebody may have deleted or altered it.
        welcome = [id for chosen in self._chosen() for id in chosen if id in self._known]
        # The record of a check follows its evidence: those are looked into though it costs a request.
        tested = [id for id in welcome if self._lacks_check(id) and str(id) in self._place.tested]
        while wanted := [id for chosen in self._chosen() for id in self._unsure(chosen)]:
            self._take(wanted, welcome, tested)
            welcome, tested = [], []
        return self._result(ids)

    def _chosen(self) -> Iterator[list[RestorePointId]]:
        """Of each tier the newest that are sound, or may be as far as is known."""
        for ids in self._tiers.values():
            first = (id for id in ids[:_MOST_LOOKED] if id not in self._looked or id in self._sound)
            # What was sound before has not become less so because much has failed since.
            more = (id for id in islice(ids, _MOST_LOOKED, None) if id in self._known)
            yield list(islice(chain(first, more), HISTORY))

    def _unsure(self, chosen: list[RestorePointId]) -> Iterator[RestorePointId]:
        for place, id in enumerate(chosen):
            is_newest_unread = place == 0 and id not in self._told
            if is_newest_unread or (id not in self._looked and id not in self._known):
                yield id

    def _lacks_check(self, id: RestorePointId) -> bool:
        known = self._known.get(id)
        return self._place.has_checks and known is not None and known.restore_check is None

    def _take(self, wanted: list[RestorePointId], welcome: list[RestorePointId], tested: list[RestorePointId]) -> None:
        """Look into folders, then read of them what is new, changed, or the newest."""
        due = [id for id in dict.fromkeys((*wanted, *tested)) if id not in self._looked]
        fresh = self._place.look(due, welcome) if due or welcome else {}
        ours = {id for ids in self._tiers.values() for id in ids}
        fresh = {id: fresh.get(id, Entry(id, {})) for id in {*fresh, *due} if id in ours and id not in self._looked}
        self._looked |= fresh
        again = {*wanted, *(id for id, entry in fresh.items() if self._is_changed(id, entry))}
        reads = [id for id in sorted(again) if self._looked[id].is_committed]
        for id, found in zip(reads, self._reading.each(self._manifest, reads), strict=True):
            self._settle(id, found)
        for id, entry in fresh.items():
            if id not in again and entry.is_committed:
                self._sound[id] = self._known[id]
        checked = [id for id in {*fresh, *reads} if id in self._sound and self._place.has_checks]
        for id, (point, disputed) in zip(checked, self._reading.each(self._checked, checked), strict=True):
            self._sound[id] = point
            if disputed is not None:
                self._faults.setdefault(id, disputed)

    def _is_changed(self, id: RestorePointId, entry: Entry) -> bool:
        """Whether a folder shows, without its manifest being read, that it is not as it was; or is not known."""
        known = self._known.get(id)
        if known is None:
            return True
        signature = entry.objects.get(keys.SIGNATURE)
        is_signed = signature is not None and signature.size_bytes == SIGNATURE_BYTES
        is_same = entry.is_committed and entry.objects[keys.MANIFEST].modified_at == known.committed_at
        return not (is_signed and is_same and self._place.stored_bytes(entry) in (None, known.bytes))

    def _manifest(self, id: RestorePointId) -> Told | PermanentError:
        try:
            demand_small(self._looked[id])
            return self._place.told(id, self._verifier)
        except StoreRefused:
            raise
        except PermanentError as error:
            return error

    def _settle(self, id: RestorePointId, found: Told | PermanentError) -> None:
        entry = self._looked[id]
        self._sound.pop(id, None)
        if isinstance(found, ObjectMissing):  # expired since it was listed
            return
        if isinstance(found, PermanentError):
            if not self._is_standing(entry):
                return
            self._blame(id, "signature_mismatch", found.message)
            return
        self._told[id] = found
        self._sound[id] = PointFacts(
            id=str(id),
            tier=id.tier,
            opened_at=id.opened_at,
            committed_at=entry.objects[keys.MANIFEST].modified_at,
            seconds=max(0.0, (found.finished_at - found.started_at).total_seconds()),
            bytes=found.bytes,
            rows=found.rows,
            tables=found.tables,
            label=found.label,
            is_decrypted=found.is_decrypted,
        )
        missing = entry.missing(found)
        if missing:
            self._blame(id, "artifact_missing", f"{entry.objects[keys.MANIFEST].key}: {'; '.join(missing)}")

    def _is_standing(self, entry: Entry) -> bool:
        """Whether it is there still: an expire beside this reading takes manifest and signature one by one."""
        try:
            self._reading.environment.store.head(entry.objects[keys.MANIFEST].key)
        except ObjectMissing:
            return False
        return True

    def _blame(self, id: RestorePointId, kind: str, text: str) -> None:
        self._faults[id] = fault(id, kind, text)

    def _checked(self, id: RestorePointId) -> tuple[PointFacts, FaultyPoint | None]:
        return with_check(self._reading, self._looked[id], self._sound[id], self._known.get(id), self._verifier)

    def _result(self, ids: list[RestorePointId]) -> PointsRead:
        chosen = [id for found in self._chosen() for id in found]
        points = [self._sound.get(id) or self._known[id] for id in chosen]
        unfinished = [
            UnfinishedPoint(id=str(id), tier=id.tier, opened_at=id.opened_at, last_written_at=_last_written(entry))
            for id, entry in sorted(self._looked.items())
            if entry.objects and not entry.is_committed
        ]
        uncommitted = [id for id, entry in self._looked.items() if not entry.is_committed]
        faults = {str(id): fault for id, fault in self._faults.items()}
        kept = {str(id) for id in chosen if id not in self._looked}
        faults |= {id: fault for id, fault in self._known_faults.items() if id in kept}
        return PointsRead(
            points=tuple(sorted(points, key=lambda point: point.id)),
            counts=_counted(set(ids).difference(uncommitted)),
            faulty=tuple(faults[id] for id in sorted(faults)),
            unfinished=tuple(unfinished),
            oldest=min((id.opened_at for id in ids), default=None),
            standing=frozenset(str(id) for id in set(ids).difference(uncommitted)),
            newest={id: self._told[id] for found in self._chosen() for id in found[:1] if id in self._told},
        )


def _last_written(entry: Entry) -> datetime:
    return max(stored.modified_at for stored in entry.objects.values())

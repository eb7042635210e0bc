"""Drills and checks that left evidence: the newest of each kind, signatures checked, known ones not read again."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from holdfast.catalog.catalog import Entry
from holdfast.errors import ObjectMissing, PermanentError, StoreRefused
from holdfast.evidence.listing import demand_small
from holdfast.evidence.objects import CLOSING, DRILL_KINDS, EVIDENCE
from holdfast.evidence.records import read_closing, read_evidence
from holdfast.manifest.evidence import Evidence
from holdfast.values.ids import RestorePointId
from holdfast.watch.facts import HISTORY, FaultyPoint, TriedFacts
from holdfast.watch.reading.folders import look_into_folders
from holdfast.watch.reading.round import Reading, fault, newest_first

_MOST_FAULTS = 10


@dataclass(frozen=True, slots=True)
class TriedRead:
    """What was tried; ``faulty``: evidence that cannot be trusted. ``oldest``: the first trace of any."""

    tried: tuple[TriedFacts, ...] = ()
    faulty: tuple[FaultyPoint, ...] = ()
    oldest: datetime | None = None


def read_tried(reading: Reading, known: TriedRead) -> TriedRead:
    """The newest of every kind; read is what is new, and what nobody had closed yet.

    Raises StoreError and StoreRefused.
    """
    prefix = reading.environment.keys.evidence
    names = reading.environment.store.folders(prefix)
    ids = [id for id in map(RestorePointId.recognised, names) if id is not None and id.tier in DRILL_KINDS]
    oldest = min((id.opened_at for id in ids), default=None)
    standing = {str(id) for id in ids}
    before = {one.id: one for one in known.tried if one.id in standing}
    if reading.verifier is None:
        return TriedRead(tuple(before.values()), known.faulty, oldest)
    chosen = _newest(reading, ids)
    due = [id for id in chosen if not _is_settled(before.get(str(id)))]
    looked = look_into_folders(reading, prefix, names, due)
    found = dict(zip(due, reading.each(lambda one: _read(reading, looked[one], before), due), strict=True))
    tried = [found.get(id, before.get(str(id))) for id in chosen]
    return TriedRead(
        tried=tuple(one for one in tried if isinstance(one, TriedFacts)),
        faulty=tuple(one for one in tried if isinstance(one, FaultyPoint)),
        oldest=oldest,
    )


def _newest(reading: Reading, ids: list[RestorePointId]) -> list[RestorePointId]:
    by_kind: dict[str, list[RestorePointId]] = {}
    for id in newest_first(ids, reading.now):
        by_kind.setdefault(id.tier, []).append(id)
    return sorted(id for found in by_kind.values() for id in found[:HISTORY])


def _is_settled(known: TriedFacts | None) -> bool:
    """What has failed is closed by nobody."""
    return known is not None and (known.is_closed or known.verdict == "failed")


def _read(reading: Reading, entry: Entry, before: Mapping[str, TriedFacts]) -> TriedFacts | FaultyPoint | None:
    """What one folder tells; None where what it is of still runs, or died."""
    if EVIDENCE not in entry.objects:
        return None
    known = before.get(str(entry.id))
    if known is not None and CLOSING not in entry.objects:
        return known
    environment = reading.environment
    try:
        demand_small(environment, entry.id, entry.objects)
        evidence = read_evidence(environment, entry.id)
        is_closed = evidence.approval == "not asked"
        if not is_closed and CLOSING in entry.objects:
            is_closed = read_closing(environment, entry.id) is not None
    except StoreRefused:
        raise
    except ObjectMissing:  # expired since it was listed
        return None
    except PermanentError as error:
        return fault(entry.id, "signature_mismatch", error.message)
    return _facts(evidence, is_closed=is_closed)


def _facts(evidence: Evidence, *, is_closed: bool) -> TriedFacts:
    return TriedFacts(
        id=evidence.id,
        kind=evidence.kind,
        opened_at=evidence.opened_at,
        finished_at=evidence.finished_at,
        verdict=evidence.verdict,
        is_closed=is_closed,
        restore_point=evidence.restore_point,
        rto_seconds=evidence.restore_seconds,
        faults=evidence.faults[:_MOST_FAULTS],
    )

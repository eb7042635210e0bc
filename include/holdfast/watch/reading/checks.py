"""The restore checks of a point: what the newest genuine record says."""

from __future__ import annotations

from holdfast.catalog.catalog import Entry
from holdfast.catalog.restore_checks import checks_of, genuine_restore_check
from holdfast.crypto.signing import Verifier
from holdfast.watch.facts import FaultyPoint, PointFacts
from holdfast.watch.reading.round import Reading

_MOST_FAULTS = 10


def with_check(
    reading: Reading, entry: Entry, point: PointFacts, known: PointFacts | None, verifier: Verifier
) -> tuple[PointFacts, FaultyPoint | None]:
    """``point`` with what its newest restore check found, and what is wrong with the records beside it.

    What is ``known`` stands where no newer record lies there.
    """
    records = checks_of(entry)
    if not records:
        return _with(point, None), None
    if known is not None and known.restore_checked_at is not None and records[0].opened_at <= known.restore_checked_at:
        return _with(point, known), None
    catalog = reading.environment.catalog
    check, is_disputed = genuine_restore_check(catalog, entry, verifier)
    fault = None
    # An expire beside this reading takes the records one by one, but the manifest first.
    if is_disputed and catalog.entry(entry.id).is_committed:
        fault = FaultyPoint(
            id=point.id,
            tier=point.tier,
            opened_at=point.opened_at,
            kind="signature_mismatch",
            text=f"restore check of {point.id}: a record lies beside its manifest that cannot be trusted",
        )
    if check is None:
        return point, fault
    found = {
        "restore_check": "passed" if check.passed else "failed",
        "restore_checked_at": check.checked_at,
        "restore_check_faults": check.faults[:_MOST_FAULTS],
    }
    return point.model_copy(update=found), fault


def _with(point: PointFacts, known: PointFacts | None) -> PointFacts:
    found = {
        "restore_check": known.restore_check if known is not None else None,
        "restore_checked_at": known.restore_checked_at if known is not None else None,
        "restore_check_faults": known.restore_check_faults if known is not None else (),
    }
    return point.model_copy(update=found)

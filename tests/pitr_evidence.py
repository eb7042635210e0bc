"""Makes evidence of recoveries to an instant, for tests of what shows and checks it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from evidence_factory import drill_id, make_evidence
from holdfast.manifest.evidence import Evidence, Fact, Finding, Step
from holdfast.manifest.pitr import PitrMark, PitrTried, PitrWindow, Replayed
from holdfast.values.ids import RestorePointId

BEGINS_AT = datetime(2026, 11, 15, 4, 10, tzinfo=UTC)
ENDS_AT = datetime(2026, 11, 22, 8, 59, 55, tzinfo=UTC)
INSTANT = datetime(2026, 11, 19, 13, 7, 21, 482113, tzinfo=UTC)
BASE = RestorePointId.make(BEGINS_AT, "base_backup", "base")
_STEPS: tuple[tuple[str, str, float, dict[str, Fact]], ...] = (
    ("recovery_environment", "Make the recovery environment", 0.2, {"source": "18.4"}),
    ("recover_to_instant", "Fetch the base backup and replay WAL up to the instant", 61.4, {"WAL bytes": 1 << 31}),
    ("check_pages", "Check every page of the cluster", 4.1, {"checksums": True, "blocks scanned": 120_000}),
    ("check_recovered", "Compare marker and instant, check tables and indexes", 9.3, {"marker": 41, "rows": 387_094}),
)


def tried(**changes: object) -> PitrTried:
    """An instant drawn from two windows, of which the second holds it."""
    window = PitrWindow(timeline=2, begins_at=BEGINS_AT, ends_at=ENDS_AT)
    lost = PitrWindow(timeline=1, begins_at=BEGINS_AT - timedelta(days=7), ends_at=BEGINS_AT - timedelta(days=2))
    fields: dict[str, object] = {
        "instant": INSTANT,
        "is_drawn": True,
        "database": "shop",
        "system_identifier": "7430000000000000001",
        "timeline": 2,
        "base_backup": str(BASE),
        "base_finished_at": BEGINS_AT,
        "window": window,
        "windows": (lost, window),
        "marker": mark(41, INSTANT - timedelta(seconds=4)),
        "next_marker": mark(42, INSTANT + timedelta(seconds=6)),
    }
    return PitrTried.model_validate(fields | changes)


def mark(number: int, at: datetime) -> PitrMark:
    """A marker committed within ten milliseconds."""
    return PitrMark(number=number, at=at, seen_at=at + timedelta(milliseconds=10))


def replayed(**changes: object) -> Replayed:
    """A recovery that went well."""
    fields: dict[str, object] = {
        "reached_time": INSTANT - timedelta(milliseconds=320),
        "reached_lsn": "1A/7C0003D8",
        "timeline": 3,
        "base_backup": str(BASE),
        "seconds": 61.0,
        "base_seconds": 20.0,
        "replay_seconds": 40.0,
        "wal_bytes": 1 << 31,
        "waited_seconds": 1.2,
        "marker": 41,
        "marker_at": INSTANT - timedelta(seconds=4),
    }
    return Replayed.model_validate(fields | changes)


def make_pitr_evidence(kind: str = "pitr_drill", *, failed: Finding | None = None, **changes: object) -> Evidence:
    """A drill that passed, or whose comparison found ``failed``."""
    id = drill_id(kind, kind=kind)
    at, steps = id.opened_at, list[Step]()
    for name, title, seconds, facts in _STEPS:
        is_failed = failed is not None and name == "check_recovered"
        steps.append(
            Step(
                name=name,
                title=title,
                started_at=at,
                seconds=seconds,
                outcome="failed" if is_failed else "passed",
                findings=(failed,) if failed is not None and is_failed else (),
                facts=facts,
            )
        )
        at += timedelta(seconds=seconds)
    fields: dict[str, object] = {
        "restore_point": str(BASE),
        "restore_point_taken_at": BEGINS_AT,
        "media": "none",
        "steps": tuple(steps),
        "tables": (),
        "history": (),
        "finished_at": at,
        "restore_seconds": 61.6,
        "approval": "asked" if kind == "pitr_drill" else "not asked",
        "pitr": tried(),
        "replayed": replayed(),
        "verdict": "failed" if failed is not None else "passed",
    }
    return make_evidence(id, **(fields | changes))

"""Faults planted into a healthy year: what happens, from when on it must be found, and from when on no more."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

from holdfast.policy.slots import last_slot
from holdfast.watch.facts import (
    CheckedFacts,
    EnvironmentFacts,
    FaultyPoint,
    GuardFacts,
    PointFacts,
    RotationFacts,
    TriedFacts,
    Trouble,
    UnfinishedPoint,
    WalGapFacts,
)
from judging_year import DAY, DUMPS, HOUR, MIB, MINUTE, STREAMING, Year


@dataclass(frozen=True)
class Planted:
    """A year with a fault; found within a round of ``found_at``, gone within one of ``gone_at``."""

    year: Year
    kind: str
    subject: str
    found_at: datetime
    gone_at: datetime


@dataclass(frozen=True)
class Fault:
    """A way to plant a fault behind a moment; ``fields`` are the policy of the year that it goes into."""

    name: str
    plant: Callable[[Year, datetime], Planted]
    fields: dict[str, object]


def _two(year: Year, tier: str, at: datetime) -> tuple[PointFacts, PointFacts]:
    """The first point of a tier behind a moment, and the one after it."""
    first, second, *_ = [point for point in year.points if point.tier == tier and point.opened_at > at]
    return first, second


def _due(year: Year, tier: str, at: datetime) -> datetime:
    schedule = year.policy.tiers[tier].schedule  # type: ignore[index]
    assert schedule is not None
    slot = last_slot(schedule, year.policy.timezone, at + MINUTE)
    assert slot is not None
    return slot.due_at


def _without(year: Year, point: PointFacts) -> Year:
    return year.changed(
        points=tuple(each for each in year.points if each is not point),
        tried=tuple(each for each in year.tried if each.kind != "restore_check" or each.restore_point != point.id),
    )


def _with(year: Year, point: PointFacts, **fields: Any) -> Year:
    changed = point.model_copy(update=fields)
    return year.changed(points=tuple(changed if each is point else each for each in year.points))


def never_started(tier: str) -> Callable[[Year, datetime], Planted]:
    def plant(year: Year, at: datetime) -> Planted:
        point, following = _two(year, tier, at)
        found = _due(year, tier, point.opened_at) + HOUR
        return Planted(_without(year, point), "never_started", tier, found, following.opened_at)

    return plant


def late(year: Year, at: datetime) -> Planted:
    point, following = _two(year, "nightly", at)
    left = UnfinishedPoint(
        id=point.id, tier="nightly", opened_at=point.opened_at, last_written_at=point.opened_at + MINUTE
    )
    changed = _without(year, point).changed(unfinished=(left,))
    return Planted(changed, "late", "nightly", point.opened_at + HOUR, following.committed_at)


def rpo_exceeded(year: Year, at: datetime) -> Planted:
    year = year.changed(points=tuple(point for point in year.points if point.tier != "snapshot"))
    # No monthly one may stand in for it.
    at = at if at.day in range(3, 26) else at + 10 * DAY
    point, following = _two(year, "nightly", at)
    before = [each for each in year.points if each.opened_at < point.opened_at][-1]
    found = before.opened_at + 25 * HOUR
    return Planted(_without(year, point), "rpo_exceeded", "nightly", found, following.committed_at)


def unlike(kind: str, **fields: Any) -> Callable[[Year, datetime], Planted]:
    def plant(year: Year, at: datetime) -> Planted:
        point, following = _two(year, "nightly", at)
        return Planted(_with(year, point, **fields), kind, "nightly", point.committed_at, following.committed_at)

    return plant


def restore_check_failed(year: Year, at: datetime) -> Planted:
    point, following = _two(year, "nightly", at)
    assert point.restore_checked_at is not None and following.restore_checked_at is not None
    changed = _with(year, point, restore_check="failed", restore_check_faults=("orders: 3 rows, 4 expected",))
    changed = changed.changed(tried=_tried_with(changed, point.id, verdict="failed"))
    return Planted(changed, "restore_check_failed", "nightly", point.restore_checked_at, following.restore_checked_at)


def restore_check_overdue(year: Year, at: datetime) -> Planted:
    point, following = _two(year, "nightly", at)
    assert following.restore_checked_at is not None
    changed = _with(_checks_without(year, point.id), point, restore_check=None, restore_checked_at=None)
    found = point.committed_at + 6 * HOUR
    return Planted(changed, "restore_check_overdue", "nightly", found, following.restore_checked_at)


def _tried_with(year: Year, restore_point: str, **fields: Any) -> tuple[TriedFacts, ...]:
    return tuple(
        each.model_copy(update=fields) if (each.kind, each.restore_point) == ("restore_check", restore_point) else each
        for each in year.tried
    )


def _checks_without(year: Year, restore_point: str) -> Year:
    kept = [each for each in year.tried if (each.kind, each.restore_point) != ("restore_check", restore_point)]
    return year.changed(tried=tuple(kept))


def _two_tried(year: Year, kind: str, at: datetime) -> tuple[TriedFacts, TriedFacts]:
    first, second, *_ = [each for each in year.tried if each.kind == kind and each.opened_at > at]
    return first, second


def drill_failed(kind: str) -> Callable[[Year, datetime], Planted]:
    def plant(year: Year, at: datetime) -> Planted:
        held, following = _two_tried(year, kind, at)
        failed = held.model_copy(update={"verdict": "failed", "faults": ("payments: no row",)})
        tried = tuple(failed if each is held else each for each in year.tried)
        return Planted(year.changed(tried=tried), "drill_failed", kind, held.finished_at, following.finished_at)

    return plant


def drill_not_held(kind: str, grace: timedelta) -> Callable[[Year, datetime], Planted]:
    def plant(year: Year, at: datetime) -> Planted:
        held, following = _two_tried(year, kind, at)
        tried = tuple(each for each in year.tried if each is not held)
        gone = following.finished_at + year.closing.get(following.id, timedelta())
        found = _due(year, kind, held.opened_at) + grace
        return Planted(year.changed(tried=tried), "drill_overdue", kind, found, gone)

    return plant


def drill_not_closed(year: Year, at: datetime) -> Planted:
    held, _ = _two_tried(year, "restore_drill", at)
    changed = year.changed(closing={**year.closing, held.id: 10 * DAY})
    found = _due(year, "restore_drill", held.opened_at) + 3 * DAY
    return Planted(changed, "drill_overdue", "restore_drill", found, held.finished_at + 10 * DAY)


def never_decrypted(year: Year, at: datetime) -> Planted:
    first = _two(year, "nightly", at)[0]
    unread = [p for p in year.points if p.tier == "nightly" and timedelta() <= p.opened_at - first.opened_at < 9 * DAY]
    points = tuple(p.model_copy(update={"is_decrypted": False}) if p in unread else p for p in year.points)
    # A drill of one of them would prove that it opens.
    ids, other = {point.id for point in unread}, {"restore_point": year.points[0].id}
    tried = tuple(each.model_copy(update=other) if each.restore_point in ids else each for each in year.tried)
    gone = _two(year, "nightly", unread[-1].opened_at)[0].committed_at
    changed = year.changed(points=points, tried=tried)
    return Planted(changed, "verification_overdue", "nightly", first.committed_at + 7 * DAY, gone)


def rto_exceeded(year: Year, at: datetime) -> Planted:
    slow, following = _two_tried(year, "restore_drill", at)
    changed = slow.model_copy(update={"rto_seconds": 4000.0})
    tried = tuple(changed if each is slow else each for each in year.tried)
    found, gone = slow.finished_at, following.finished_at
    return Planted(year.changed(tried=tried), "rto_exceeded", "restore_drill", found, gone)


def check_not_held(kind: str, found_kind: str, grace: timedelta) -> Callable[[Year, datetime], Planted]:
    def plant(year: Year, at: datetime) -> Planted:
        held, following = _two_checks(year, kind, at)
        checked = tuple(each for each in year.checked if each is not held)
        found = _due(year, kind, held.checked_at) + grace
        return Planted(year.changed(checked=checked), found_kind, kind, found, following.checked_at)

    return plant


def _two_checks(year: Year, kind: str, at: datetime) -> tuple[CheckedFacts, CheckedFacts]:
    first, second, *_ = [each for each in year.checked if each.kind == kind and each.checked_at > at]
    return first, second


def media_damaged(year: Year, at: datetime) -> Planted:
    bad = _two_checks(year, "media_check", at)[0]
    damaged = bad.model_copy(update={"faults": ("shard a1: sha256 mismatch",)})
    later = [each for each in year.checked if each.kind == "media_check" and each.checked_at > bad.checked_at]
    gone = next(each.checked_at for each in later if (each.oldest_unread_at or bad.checked_at) > bad.checked_at)
    checked = tuple(damaged if each is bad else each for each in year.checked)
    return Planted(year.changed(checked=checked), "media_damaged", "media_check", bad.checked_at, gone)


def wal_check_found(year: Year, at: datetime) -> Planted:
    bad, following = _two_checks(year, "wal_check", at)
    damaged = bad.model_copy(update={"faults": ("segment B4: sha256 mismatch",)})
    checked = tuple(damaged if each is bad else each for each in year.checked)
    return Planted(year.changed(checked=checked), "wal_damaged", "wal", bad.checked_at, following.checked_at)


def shown(kind: str, subject: str, **fields: Any) -> Callable[[Year, datetime], Planted]:
    """Fields of the facts that are so for two days."""

    def plant(year: Year, at: datetime) -> Planted:
        def overlay(facts: EnvironmentFacts, now: datetime) -> EnvironmentFacts:
            return facts.model_copy(update=fields) if at <= now < at + 2 * DAY else facts

        return Planted(year.changed(overlays=(overlay,)), kind, subject, at, at + 2 * DAY)

    return plant


def wal_shown(kind: str, subject: str = "wal", **fields: Any) -> Callable[[Year, datetime], Planted]:
    """Fields of the WAL's facts that are so for two days."""

    def plant(year: Year, at: datetime) -> Planted:
        def overlay(facts: EnvironmentFacts, now: datetime) -> EnvironmentFacts:
            assert facts.wal is not None
            wal = facts.wal.model_copy(update=fields)
            return facts.model_copy(update={"wal": wal}) if at <= now < at + 2 * DAY else facts

        return Planted(year.changed(overlays=(overlay,)), kind, subject, at, at + 2 * DAY)

    return plant


def wal_stands(kind: str, after: timedelta) -> Callable[[Year, datetime], Planted]:
    """The streamer dies, and is back three days later."""

    def plant(year: Year, at: datetime) -> Planted:
        def overlay(facts: EnvironmentFacts, now: datetime) -> EnvironmentFacts:
            assert facts.wal is not None
            wal = facts.wal.model_copy(update={"status_at": at, "caught_up_at": at, "newest_at": at})
            return facts.model_copy(update={"wal": wal}) if at <= now < at + 3 * DAY else facts

        return Planted(year.changed(overlays=(overlay,)), kind, "wal", at + after, at + 3 * DAY)

    return plant


def disk_full(year: Year, at: datetime) -> Planted:
    def overlay(facts: EnvironmentFacts, now: datetime) -> EnvironmentFacts:
        newest = facts.space[-1].model_copy(update={"at": now, "free_bytes": 100 * MIB})
        return facts.model_copy(update={"space": (*facts.space, newest)}) if at <= now < at + DAY else facts

    return Planted(year.changed(overlays=(overlay,)), "space_short", "disk", at, at + DAY)


_GAP = WalGapFacts(
    system_identifier="7", timeline=1, first="00000001B4", last="00000001B6", begins_at=None, ends_at=None
)
_POINT = "20260101T010000Z-nightly-4f9c2a"


def _faulty(kind: Any, at: str = _POINT) -> FaultyPoint:
    opened = datetime.fromisoformat("2026-01-01T01:00:00+00:00")
    return FaultyPoint(id=at, tier="nightly", opened_at=opened, kind=kind, text=f"{at}: {kind}")


_ROTATION = RotationFacts(name="SMTP_URL", rotate_by=date(2025, 12, 1), owner="DevOps", rotated_by=("DevOps", "DBA"))
_ALL: list[tuple[str, Callable[[Year, datetime], Planted]]] = [
    ("nightly never started", never_started("nightly")),
    ("monthly never started", never_started("monthly")),
    ("base backup never started", never_started("base_backup")),
    ("media never started", never_started("media")),
    ("late", late),
    ("emptied", unlike("too_small", bytes=12 * MIB)),
    ("no rows", unlike("too_small", rows=0)),
    ("too large", unlike("too_large", bytes=3000 * MIB)),
    ("too quick", unlike("too_quick", seconds=5.0)),
    ("restore check failed", restore_check_failed),
    ("restore check overdue", restore_check_overdue),
    ("restore drill failed", drill_failed("restore_drill")),
    ("recovery failed", drill_failed("pitr_check")),
    ("drill not held", drill_not_held("restore_drill", 3 * DAY)),
    ("recovery not tried", drill_not_held("pitr_check", DAY)),
    ("drill not closed", drill_not_closed),
    ("restored too slowly", rto_exceeded),
    ("WAL not checked", check_not_held("wal_check", "verification_overdue", 12 * HOUR)),
    ("media not checked", check_not_held("media_check", "media_check_overdue", DAY)),
    ("media damaged", media_damaged),
    ("WAL damaged, by its check", wal_check_found),
    ("WAL damaged", wal_shown("wal_damaged", faults=("segment B4: not 16 MiB",))),
    ("WAL missing", wal_shown("wal_gap", _GAP.first, gaps=(_GAP,))),
    ("WAL lost", wal_shown("wal_gap", "slot", lost="the slot was invalidated")),
    ("slot holds WAL", wal_shown("slot_retention", retained_bytes=20 << 30)),
    ("slot is nearly dropped", wal_shown("slot_retention", retained_bytes=1 << 30, safe_bytes=16 * MIB)),
    ("streamer dead", wal_stands("wal_lag", 5 * MINUTE)),
    ("streamer dead for long", wal_stands("rpo_exceeded", 25 * HOUR)),
    ("secret due", shown("rotation_due", "SMTP_URL", rotations=(_ROTATION,))),
    (
        "guard",
        shown("store_guard", "versions", guard=(GuardFacts(name="versions", is_blocking=True, text="off", hint=None),)),
    ),
    ("forged", shown("signature_mismatch", _POINT, faulty=(_faulty("signature_mismatch"),))),
    ("artifact gone", shown("artifact_missing", _POINT, faulty=(_faulty("artifact_missing"),))),
    ("not decryptable", shown("not_decryptable", _POINT, faulty=(_faulty("not_decryptable"),))),
    (
        "store away",
        shown(
            "store_unreachable",
            "store",
            troubles=(Trouble(kind="store_unreachable", subject="store", text="no answer"),),
        ),
    ),
    (
        "other identity",
        shown("identity_mismatch", "keys", troubles=(Trouble(kind="identity_mismatch", subject="keys", text="other"),)),
    ),
    (
        "trail altered",
        shown("audit_broken", "audit", troubles=(Trouble(kind="audit_broken", subject="audit", text="gone"),)),
    ),
    ("disk full", disk_full),
]
FAULTS = [
    *(Fault(name, plant, STREAMING) for name, plant in _ALL),
    Fault("RPO without WAL", rpo_exceeded, DUMPS),
    Fault("never decrypted", never_decrypted, DUMPS),
]

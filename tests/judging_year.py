"""A year of an environment as its store would show it: schedules kept with ordinary noise, growth and holidays."""

from __future__ import annotations

import math
import random
from bisect import bisect_right
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from functools import cached_property

from holdfast.policy.model import EnvironmentPolicy
from holdfast.policy.slots import next_slot
from holdfast.values.ids import RestorePointId
from holdfast.watch.facts import (
    HISTORY,
    CheckedFacts,
    EnvironmentFacts,
    PointFacts,
    SpaceSample,
    TriedFacts,
    UnfinishedPoint,
    WalFacts,
)

BEGINS = datetime(2026, 1, 1, tzinfo=UTC)
ENDS = BEGINS + timedelta(days=365)
MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
MIB = 1 << 20

COMMON = {
    "timezone": "Europe/Berlin",
    "targets": {"rpo": "24h", "rto": "1h"},
    "store": {"url": "file:///srv/store"},
    "keys": {"recipients": ["age1examplexxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"]},
    "alerts": {
        "conn_id": "pager",
        "space_limit": "2TiB",
        "contacts": {"on_call": "Ann", "database_admin": "Ben", "team_lead": "Cleo"},
    },
}
STREAMING = {
    **COMMON,
    "database": {"conn_id": "shop_db", "pitr": "streaming"},
    "media": {"source": "file:///srv/media"},
    "tiers": {
        "nightly": {"schedule": "0 2 * * *", "keep": "35d"},
        "wal": {"schedule": "continuous", "keep": "7d"},
        "base_backup": {"schedule": "0 4 * * 0", "keep": "14d"},
        "wal_check": {"schedule": "30 4 * * *"},
        "pitr_check": {"schedule": "0 6 * * 0"},
        "media": {"schedule": "0 14 * * *"},
        "media_check": {"schedule": "0 5 * * 6", "fraction": 0.25},
        "monthly": {"schedule": "0 3 1 * *", "keep": "12mo"},
        "snapshot": {"keep": "90d"},
        "restore_check": {},
        "restore_drill": {"schedule": "0 9 1 1,4,7,10 *"},
    },
}
# Half past two is the time that the clock shows twice in autumn, and leaves out in spring.
DUMPS = {
    **COMMON,
    "database": {"conn_id": "shop_db"},
    "tiers": {
        "nightly": {"schedule": "30 2 * * *", "keep": "35d"},
        "monthly": {"schedule": "0 3 1 * *", "keep": "12mo"},
        "snapshot": {"keep": "90d"},
        "restore_drill": {"schedule": "0 9 1 * *"},
    },
}
_MINUTES = {"nightly": 6.0, "monthly": 6.0, "snapshot": 6.0, "media": 2.0, "base_backup": 25.0}

Overlay = Callable[[EnvironmentFacts, datetime], EnvironmentFacts]


def policy_of(fields: dict[str, object]) -> EnvironmentPolicy:
    return EnvironmentPolicy.model_validate(fields)


@dataclass(frozen=True)
class Year:
    """All that happens, each thing at the moment from which the store shows it."""

    policy: EnvironmentPolicy
    points: tuple[PointFacts, ...]
    tried: tuple[TriedFacts, ...]
    checked: tuple[CheckedFacts, ...]
    space: tuple[SpaceSample, ...]
    unfinished: tuple[UnfinishedPoint, ...] = ()
    overlays: tuple[Overlay, ...] = ()
    closing: dict[str, timedelta] = field(default_factory=dict)

    @cached_property
    def _by_tier(self) -> dict[str, list[PointFacts]]:
        return {tier: [point for point in self.points if point.tier == tier] for tier in self.policy.tiers}

    def changed(self, **fields: object) -> Year:
        return replace(self, **fields)  # type: ignore[arg-type]

    def facts(self, now: datetime) -> EnvironmentFacts:
        """What the store shows at ``now``; made without validation, as thousands are."""
        points: list[PointFacts] = []
        unfinished = [each for each in self.unfinished if each.opened_at <= now]
        for tier in self.policy.tiers:
            of_tier = self._by_tier[tier]
            first_to_come = bisect_right(of_tier, now, key=lambda point: point.opened_at)
            known = of_tier[max(0, first_to_come - HISTORY - 1) : first_to_come]
            points += [_seen(point, now) for point in known if point.committed_at <= now][-HISTORY:]
            unfinished += [
                UnfinishedPoint(id=point.id, tier=tier, opened_at=point.opened_at, last_written_at=now - MINUTE)
                for point in known
                if point.committed_at > now
            ]
        facts = EnvironmentFacts.model_construct(
            app="shop",
            environment="production",
            read_at=now,
            since=BEGINS - 90 * DAY,
            points=tuple(points),
            unfinished=tuple(unfinished),
            tried=tuple(self._tried(now)),
            checked=_until(self.checked, lambda each: each.checked_at, now)[-8 * HISTORY :],
            space=_until(self.space, lambda each: each.at, now)[-60:],
            wal=_wal(now) if self.policy.database.pitr == "streaming" else None,
        )
        for overlay in self.overlays:
            facts = overlay(facts, now)
        return facts

    def _tried(self, now: datetime) -> list[TriedFacts]:
        """The newest few of each kind; a drill is closed only once somebody has agreed."""
        done = _until(self.tried, lambda each: each.finished_at, now)[-200:]
        kept: dict[str, list[TriedFacts]] = {}
        for each in reversed(done):
            kept.setdefault(each.kind, [])
            if len(kept[each.kind]) < HISTORY:
                is_open = now - each.finished_at < self.closing.get(each.id, timedelta())
                kept[each.kind].append(each.model_copy(update={"is_closed": False}) if is_open else each)
        return [each for kind in kept.values() for each in reversed(kind)]


def make_year(fields: dict[str, object], seed: int) -> Year:
    """A healthy year, drawn by ``seed``, with a quarter before it so that there is history from the first day on."""
    dice, policy = random.Random(seed), policy_of(fields)
    begins = BEGINS - 100 * DAY
    points = [point for tier in policy.tiers for point in _points(policy, tier, begins, dice)]
    points.sort(key=lambda point: point.opened_at)
    tried = [_check_of(point, dice) for point in points if point.restore_checked_at is not None]
    closing: dict[str, timedelta] = {}
    for tier in ("restore_drill", "pitr_check"):
        for at in _times(policy, tier, begins):
            finished = at + dice.uniform(0.5, 3) * HOUR
            id = str(RestorePointId.make(at, tier, "x"))
            tried.append(_tried(id, tier, at, finished, points, dice))
            if tier == "restore_drill":
                closing[id] = dice.uniform(0, 24) * HOUR
    return Year(
        policy,
        tuple(points),
        tuple(sorted(tried, key=lambda each: each.finished_at)),
        tuple(sorted(_checked(policy, begins, dice), key=lambda each: each.checked_at)),
        tuple(_samples(begins, dice)),
        closing=closing,
    )


def size_at(at: datetime, dice: random.Random) -> int:
    """The database grows through each semester, is tidied up behind it, and breathes a little with the week."""
    day = (at - BEGINS) / DAY
    semester = (day % 182) / 182
    level = 400 * (1 + day / 2500) * (1 + 0.3 * semester)
    week = 1 + 0.03 * math.sin(2 * math.pi * day / 7)
    return round(level * week * dice.gauss(1, 0.01) * MIB)


def _points(policy: EnvironmentPolicy, tier: str, begins: datetime, dice: random.Random) -> list[PointFacts]:
    if tier == "snapshot":
        opened = [begins + dice.uniform(0, 460) * DAY for _ in range(30)]
    elif tier in _MINUTES:
        opened = _times(policy, tier, begins)
    else:
        return []
    return [_point(policy, tier, at + dice.uniform(0, 180) * timedelta(seconds=1), dice) for at in sorted(opened)]


def _point(policy: EnvironmentPolicy, tier: str, opened: datetime, dice: random.Random) -> PointFacts:
    opened = opened.replace(microsecond=0)
    size = size_at(opened, dice)
    if tier == "media":
        # Nothing in the holidays and on most weekends, a day of films now and then.
        size = 0 if dice.random() < 0.3 else round(dice.lognormvariate(3, 1.5) * MIB)
    took = _MINUTES[tier] * 60 * max(0.4, dice.gauss(1, 0.15)) * (1.7 if dice.random() < 0.05 else 1)
    # A server that restarts, a network that comes back: up to about a quarter of an hour.
    retries = dice.uniform(0.5, 15) * MINUTE if dice.random() < 0.1 else timedelta()
    committed = opened + dice.uniform(1, 90) * timedelta(seconds=1) + took * timedelta(seconds=1.3) + retries
    is_dump = tier in ("nightly", "monthly", "snapshot")
    is_checked = is_dump and "restore_check" in policy.tiers
    return PointFacts(
        id=str(RestorePointId.make(opened, tier, str(opened))),
        tier=tier,
        opened_at=opened,
        committed_at=committed,
        seconds=took,
        bytes=size,
        rows=size // 300 if is_dump else None,
        tables=40 if is_dump else None,
        label={"snapshot": "pre-deploy", "base_backup": "full"}.get(tier),
        is_decrypted=True,
        restore_check="passed" if is_checked else None,
        restore_checked_at=committed + dice.uniform(5, 60) * MINUTE if is_checked else None,
    )


def _times(policy: EnvironmentPolicy, tier: str, begins: datetime) -> list[datetime]:
    schedule = policy.tiers[tier].schedule if tier in policy.tiers else None  # type: ignore[index]
    found, at = [], begins
    while schedule is not None and schedule != "continuous" and at < ENDS + 40 * DAY:
        slot = next_slot(schedule, policy.timezone, at)
        assert slot is not None
        found.append(slot.due_at)
        at = slot.due_at
    return found


def _check_of(point: PointFacts, dice: random.Random) -> TriedFacts:
    assert point.restore_checked_at is not None
    id = str(RestorePointId.make(point.committed_at, "restore_check", point.id))
    return _tried(id, "restore_check", point.committed_at, point.restore_checked_at, [point], dice)


def _tried(
    id: str, kind: str, opened: datetime, finished: datetime, points: Sequence[PointFacts], dice: random.Random
) -> TriedFacts:
    dumps = [point.id for point in points if point.tier == "nightly" and point.committed_at <= opened]
    return TriedFacts(
        id=id,
        kind=kind,
        opened_at=opened,
        finished_at=finished,
        verdict="passed",
        is_closed=True,
        restore_point=dumps[-1] if dumps else points[-1].id,
        rto_seconds=size_at(finished, dice) / MIB * dice.gauss(2.5, 0.3),
    )


def _checked(policy: EnvironmentPolicy, begins: datetime, dice: random.Random) -> list[CheckedFacts]:
    found = []
    for tier in ("wal_check", "media_check"):
        for at in _times(policy, tier, begins):
            checked = at + dice.uniform(1, 50) * MINUTE
            unread = checked - dice.uniform(20, 30) * DAY if tier == "media_check" else None
            id = str(RestorePointId.make(at, tier, "x"))
            found.append(CheckedFacts(id=id, kind=tier, checked_at=checked, oldest_unread_at=unread))  # type: ignore[arg-type]
    return found


def _samples(begins: datetime, dice: random.Random) -> list[SpaceSample]:
    """Thirty-five nights are kept; expire runs once a night, and something else on the disk comes and goes."""
    found = []
    for day in range((ENDS - begins).days):
        at = begins + day * DAY + 3 * HOUR
        held = round(35 * size_at(at, dice) + dice.uniform(0, 1) * 4096 * MIB)
        found.append(SpaceSample(at=at, held_bytes=held, free_bytes=(200 << 30) - held + dice.randrange(2 << 30)))
    return found


def _wal(now: datetime) -> WalFacts:
    """Every hour a run of the streamer ends, and for up to two minutes there is none; at night nothing is written."""
    dice = random.Random(now.isoformat())
    silent = timedelta(seconds=dice.uniform(60, 120) if dice.random() < 0.05 else dice.uniform(1, 40))
    return WalFacts(
        system_identifier="7430000000000000001",
        status_at=now - silent,
        caught_up_at=now - silent - timedelta(seconds=dice.uniform(0, 10)),
        behind_bytes=dice.randrange(16 * MIB),
        retained_bytes=dice.randrange(16, 200) * MIB,
        safe_bytes=8 << 30,
        newest_at=now - silent - (6 * HOUR if now.hour < 6 else MINUTE),
    )


def _seen(point: PointFacts, now: datetime) -> PointFacts:
    if point.restore_checked_at is None or point.restore_checked_at <= now:
        return point
    return point.model_copy(update={"restore_check": None, "restore_checked_at": None})


def _until[T](events: tuple[T, ...], at: Callable[[T], datetime], now: datetime) -> tuple[T, ...]:
    return events[: bisect_right(events, now, key=at)]

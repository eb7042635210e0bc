"""Backups that are unlike those before them: much smaller, much larger, or done much too quickly."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

from holdfast.policy.model import DUMP_TIERS
from holdfast.values import figures
from holdfast.watch.facts import PointFacts
from holdfast.watch.finding import Finding
from holdfast.watch.judging.case import Case, Findings
from holdfast.watch.judging.robust import Usual

_BASE, _FULL = "base_backup", "full"
_LEAST_EARLIER = 4
_SIGMAS = 6
# However evenly the earlier ones lie: data that people clear away, or add in a day, are less than this.
_SMALL, _LARGE, _QUICK = 0.65, 2.0, 0.25
_GENTLE = 0.25
_ROWS, _TABLES = 0.25, 0.5
# Below these differences, sizes and times are of the format and of the machine, not of the data.
_NO_MATTER_BYTES = 4096
_NO_MATTER_SECONDS = 30
# Values within this share of one another are taken for the same.
_ALIKE = 0.25
# What was there so often before, and in such a share of the backups, is a pattern.
_OFTEN, _PATTERN = 3, 0.2
_NEW_NORMAL = 7

Value = Callable[[PointFacts], float | None]


def judge_sizes(case: Case) -> Findings:
    """too_small, too_large and too_quick: the newest point of each tier against those before it.

    Of dumps and full base backups, whose size is that of the data. Media snapshots add what was uploaded, which may be
    nothing or a semester's films, and incremental base backups what was written.
    """
    for tier in filter(case.has, (*DUMP_TIERS, _BASE)):
        points = [point for point in case.points(tier) if tier != _BASE or point.label == _FULL]
        if case.points(tier)[-1:] != points[-1:]:
            continue
        if len(points) <= _LEAST_EARLIER:
            continue
        small = _too_small(case, tier, points)
        if small is not None:
            yield small
        if tier != "snapshot":
            yield from _too_large(case, tier, points)
            if small is None:
                yield from _too_quick(case, tier, points)


def _too_small(case: Case, tier: str, points: Sequence[PointFacts]) -> Finding | None:
    newest = points[-1]
    for words, value, share, least, written in (
        ("stored bytes", _bytes, _share_of_size(case, tier), _NO_MATTER_BYTES, _size),
        ("rows", _rows, _ROWS, 1, _count),
        ("tables", _tables, _TABLES, 1, _count),
    ):
        now, usual = _against(points, value)
        if usual is None or now is None or usual.median - now < least:
            continue
        floor = share * usual.median
        if now >= floor or (words == "stored bytes" and now >= _low(case, tier, usual)):
            continue
        what = f"{written(now)}" if words == "stored bytes" else f"{written(now)} {words}"
        return case.finding(
            "too_small",
            tier,
            f"the newest {tier} backup, {newest.id}, holds {what}, {_said(usual, written)}",
            since=newest.opened_at,
            meaning="Data may have been deleted, or the connection may lead to another database; the backup lists well "
            "all the same. Backups from before it may soon be the only ones that have the data.",
            advice=f"Hold the one before it first: {case.command('hold add', points[-2].id)}. Then look into the "
            f"database itself: are the rows still there? {case.who('database_admin')} judges that. Was it meant, then "
            f"{_NEW_NORMAL} backups of the new size end this.",
            tier=tier,
            severity="notify" if tier == "snapshot" else None,
        )
    return None


def _share_of_size(case: Case, tier: str) -> float:
    """Below which share of the median a size is looked at: the policy's own where that is stricter."""
    return max(_GENTLE if tier == "snapshot" else _SMALL, _ratio(case, tier))


def _low(case: Case, tier: str, usual: Usual) -> float:
    """What scattering alone does not go below; the policy's floor holds however much they scatter."""
    return max(usual.median - _SIGMAS * usual.sigma, _ratio(case, tier) * usual.median)


def _ratio(case: Case, tier: str) -> float:
    return next((float(part.min_size_ratio) for name, part in case.policy.tiers.items() if name == tier), 0.0)


def _too_large(case: Case, tier: str, points: Sequence[PointFacts]) -> Findings:
    newest = points[-1]
    usual = Usual.of([point.bytes for point in points[:-1]])
    grown = max(_LARGE * usual.median, usual.median + _SIGMAS * usual.sigma, usual.highest * (1 + _ALIKE))
    if newest.bytes <= grown or newest.bytes - usual.median < _NO_MATTER_BYTES:
        return
    yield case.finding(
        "too_large",
        tier,
        f"the newest {tier} backup, {newest.id}, holds {_size(newest.bytes)}, {_said(usual, _size)}",
        since=newest.opened_at,
        meaning="Something fills the database, or another one is backed up; dumps and restores take longer now.",
        advice=f"Which table has grown (`\\dt+` in psql)? {case.who('database_admin')} knows whether it was an import; "
        "if so, it ends by itself once there are backups of that size.",
        tier=tier,
    )


def _too_quick(case: Case, tier: str, points: Sequence[PointFacts]) -> Findings:
    newest, earlier = points[-1], points[:-1]
    took = [point.seconds for point in earlier if math.isfinite(point.seconds) and point.seconds > 0]
    if len(took) < _LEAST_EARLIER or not math.isfinite(newest.seconds):
        return
    usual = Usual.of(took)
    # Times scatter by shares, not by seconds: twice as long is as ordinary as half.
    low = usual.median * min(_QUICK, math.exp(-_SIGMAS * Usual.of([math.log(each) for each in took]).sigma))
    if newest.seconds >= low or usual.median - newest.seconds < _NO_MATTER_SECONDS:
        return
    if sum(1 for each in took if each <= newest.seconds * (1 + _ALIKE)) >= _OFTEN:
        return
    size = Usual.of([point.bytes for point in earlier]).median
    # Of half the data, half the time is no wonder.
    if size <= 0 or newest.bytes / size <= 2 * newest.seconds / usual.median:
        return
    yield case.finding(
        "too_quick",
        tier,
        f"the newest {tier} backup, {newest.id}, was taken in {figures.seconds(newest.seconds)}, "
        f"{_said(usual, figures.seconds)}, and its size does not explain it",
        since=newest.opened_at,
        meaning="It may hold less than it seems to; a faster server or network does this, too.",
        advice=f"{_proof(case, tier, newest.id)} Was the server made faster, this ends by itself.",
        tier=tier,
    )


def _proof(case: Case, tier: str, id: str) -> str:
    if tier == _BASE:
        return f"{case.command('drill', '--pitr')} recovers from it, and compares."
    return f"{case.command('verify', id)} reads it back, {case.command('drill', id)} restores and counts it."


def _against(points: Sequence[PointFacts], value: Value) -> tuple[float | None, Usual | None]:
    """The newest value, and what was usual before it; None where too few are known, or such values are usual.

    Those right before the newest that are like it are no proof that all is well: they are of the same cause, until
    there are so many of them that they are the new normal.
    """
    known = [found for found in map(value, points) if found is not None]
    newest = value(points[-1])
    if newest is None or len(known) <= _LEAST_EARLIER:
        return newest, None
    earlier, like = known[:-1], 0
    is_alike = min(newest * (1 + _ALIKE), (newest + Usual.of(earlier).median) / 2)
    while earlier and earlier[-1] <= is_alike:
        earlier, like = earlier[:-1], like + 1
    seen = sum(1 for each in earlier if each <= is_alike)
    is_pattern = seen >= _OFTEN and seen >= _PATTERN * len(earlier)
    if len(earlier) < _LEAST_EARLIER or like + 1 >= _NEW_NORMAL or is_pattern:
        return newest, None
    return newest, Usual.of(earlier)


def _said(usual: Usual, written: Callable[[float], str]) -> str:
    if written(usual.lowest) == written(usual.highest):
        return f"while the last {usual.number} were {written(usual.median)}"
    return (
        f"while the last {usual.number} were between {written(usual.lowest)} and {written(usual.highest)}, "
        f"typically {written(usual.median)}"
    )


def _bytes(point: PointFacts) -> float | None:
    return point.bytes


def _rows(point: PointFacts) -> float | None:
    return point.rows


def _tables(point: PointFacts) -> float | None:
    return point.tables


def _size(value: float) -> str:
    return figures.size(round(value))


def _count(value: float) -> str:
    return figures.count(round(value))

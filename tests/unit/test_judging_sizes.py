"""Sizes and times against history, and where trends of restores, space and growth lead."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from holdfast.watch.facts import (
    EnvironmentFacts,
    PointFacts,
    SpaceSample,
    TriedFacts,
)
from holdfast.watch.judging import judge
from judging_cases import DUMPS_YEAR, NOW, POLICY, YEAR, changed, empty, kinds
from judging_year import DAY, DUMPS, HOUR, MIB, MINUTE


def history(*sizes_mib: float, tier: str = "nightly", **newest: Any) -> EnvironmentFacts:
    """Nightly points of the given sizes, the newest last, checked and decrypted."""
    points = []
    for number, size in enumerate(sizes_mib):
        at = NOW - 9 * HOUR - (len(sizes_mib) - 1 - number) * DAY
        point = PointFacts(
            id=f"2026-{number:03}", tier=tier, opened_at=at, committed_at=at + MINUTE, seconds=300,
            bytes=round(size * MIB), rows=1000, tables=40, is_decrypted=True,
        )  # fmt: skip
        points.append(point)
    points[-1] = points[-1].model_copy(update=newest)
    return empty(points=tuple(points), since=NOW - 90 * DAY)


PLAIN = changed(DUMPS, tiers={"nightly": {"schedule": "0 2 * * *", "keep": "35d"}, "snapshot": {"keep": "90d"}})
EVEN = (480, 500, 500, 520, 490, 500, 510, 505, 495, 500, 500, 515, 485, 500)


@pytest.mark.parametrize(
    ("facts", "expected"),
    [
        (history(*EVEN, 470), set()),
        (history(*EVEN, 12), {"too_small"}),
        (history(*EVEN, 12, 12, 12), {"too_small"}),
        (history(*EVEN[:7], *[12] * 7), set()),
        (history(500, 500, 500, 12), set()),
        (history(500, 500, 500, 500, 12), {"too_small"}),
        (history(500, 500, 40, 500, 500, 500, 45, 500, 500, 40), {"too_small"}),
        (history(320, 500, 500, 500, 500, 500, 320, 320, 500, 500, 500, 500, 500, 320, 320), set()),
        (history(*[500, 300] * 5, 300), set()),
        (history(*[100 * 1.05**n for n in range(15)]), set()),
        (history(*EVEN, 1600), {"too_large"}),
        (history(*EVEN, 1600, 1600), set()),
        (history(*EVEN, 500, rows=0), {"too_small"}),
        (history(*EVEN, 500, rows=700), set()),
        (history(*EVEN, 500, tables=12), {"too_small"}),
        (history(*EVEN, 500, seconds=8.0), {"too_quick"}),
        (history(*EVEN, 500, seconds=120.0), set()),
        (history(*EVEN, 12, seconds=8.0), {"too_small"}),
    ],
)
def test_sizes_and_times_against_history(facts: EnvironmentFacts, expected: set[str]) -> None:
    """Noise, growth and patterns are not told; a collapse is, until it is mended or a week old."""
    assert kinds(judge(facts, PLAIN, NOW)) == expected


def test_what_is_too_small_is_said_in_words() -> None:
    """With figures that somebody can check at three in the morning, and who judges them."""
    found = judge(history(*EVEN, 12), PLAIN, NOW)[0]
    assert "12.0 MiB, while the last 14 were between 480 MiB and 520 MiB, typically 500 MiB" in found.text
    assert "`holdfast hold add POLICY production 2026-013`" in found.advice
    assert "The database admin (Ben)" in found.advice
    assert found.dag == "shop-production.nightly"


def test_the_policys_own_floor_is_respected() -> None:
    """A stricter ratio finds what scatter would excuse."""
    strict = {"nightly": {"schedule": "0 2 * * *", "keep": "35d", "min_size_ratio": 0.9}}
    assert not judge(history(*EVEN, 430), PLAIN, NOW)
    assert kinds(judge(history(*EVEN, 430), changed(DUMPS, tiers=strict), NOW)) == {"too_small"}


def test_snapshots_by_hand_are_judged_gently() -> None:
    """Before a deployment somebody decides what to take: told, if nearly nothing is in it, in the morning."""
    rest = history(*EVEN, 500).points
    small = history(*EVEN, 12, tier="snapshot")
    found = judge(small.model_copy(update={"points": (*small.points, *rest)}), PLAIN, NOW)
    assert [(each.kind, each.severity) for each in found] == [("too_small", "notify")]


def tried(kind: str, age: timedelta, rto: float) -> TriedFacts:
    at = NOW - age
    return TriedFacts(
        id=f"{kind}-{age}", kind=kind, opened_at=at, finished_at=at, verdict="passed", is_closed=True,
        restore_point="x", rto_seconds=rto,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("measured", "is_found"),
    [
        ([2000 + 100 * n for n in range(15)], True),
        ([2000 + 5 * n for n in range(15)], False),
        ([3400, 3300, 3500, 3350, 3450, 3300, 3400], False),
        ([3000, 3100, 3200, 3300], False),
        ([1000, 1000, 1000, 3700], True),
    ],
)
def test_restores_that_take_longer_and_longer(measured: list[float], is_found: bool) -> None:
    """A steady rise towards the hour is told before it is reached; noise below it is not."""
    checks = tuple(tried("restore_check", (len(measured) - n) * DAY, value) for n, value in enumerate(measured, 1))
    facts = YEAR.facts(NOW)
    others = tuple(each for each in facts.tried if each.kind != "restore_check")
    found = judge(facts.model_copy(update={"tried": (*others, *checks)}), POLICY, NOW)
    assert ("rto_exceeded" in kinds(found)) is is_found


def filled(held: list[float], free: list[float]) -> EnvironmentFacts:
    """Samples in GiB, one a day, the last one now."""
    samples = tuple(
        SpaceSample(
            at=NOW - (len(held) - 1 - n) * DAY, held_bytes=round(each * 2**30), free_bytes=round(free[n] * 2**30)
        )
        for n, each in enumerate(held)
    )
    return DUMPS_YEAR.facts(NOW).model_copy(update={"space": samples})


@pytest.mark.parametrize(
    ("held", "free", "expected"),
    [
        ([10] * 20, [500] * 20, []),
        ([10] * 20, [500 - 30 * n for n in range(16)] + [50] * 4, [("space_short", "disk", "notify")]),
        ([10] * 20, [500 - 30 * n for n in range(13)] + [130] * 7, []),
        ([10] * 15, [165 - 10 * n for n in range(15)], [("space_short", "disk", "page")]),
        ([10] * 15, [220 - 10 * n for n in range(15)], [("space_short", "disk", "notify")]),
        ([10] * 12, [500] * 8 + [400, 300, 200, 100], [("space_short", "disk", "page")]),
        ([10] * 12, [500, 300] * 6, []),
        ([2100] * 9, [900] * 9, [("space_short", "limit", "page")]),
        ([1800 + 20 * n for n in range(9)], [900] * 9, [("space_short", "limit", "notify")]),
        ([10 + 0.1 * n for n in range(40)] + [20, 25, 30, 35, 40, 45], [900] * 46, [("growth", "held", "notify")]),
        ([10 + n for n in range(50)], [900] * 50, []),
    ],
)  # fmt: skip
def test_space_and_growth(held: list[float], free: list[float], expected: list[tuple[str, str, str]]) -> None:
    """By what is left, by the trend, by a sudden fall, and by weeks that were unlike this one."""
    found = judge(filled(held, free), DUMPS_YEAR.policy, NOW)
    assert [(each.kind, each.subject, each.severity) for each in found] == expected


def test_a_wal_that_lags_wakes_somebody_later() -> None:
    """Told after five minutes, and a reason to wake somebody after fifteen, under one id."""
    facts = YEAR.facts(NOW)
    assert facts.wal is not None
    found = [
        judge(
            facts.model_copy(update={"wal": facts.wal.model_copy(update={"caught_up_at": NOW - minutes * MINUTE})}),
            POLICY,
            NOW,
        )
        for minutes in (4, 6, 16)
    ]
    assert [[each.severity for each in some] for some in found] == [[], ["notify"], ["page"]]
    assert found[1][0].id == found[2][0].id == "shop/production/wal_lag/wal"

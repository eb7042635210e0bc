"""Which instant a drill draws."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from holdfast.catalog.windows import Coverage, Gap, Window
from holdfast.drill.pitr.instant import drawn_instant
from holdfast.errors import UsageError
from holdfast.manifest.base_backup import BaseBackupManifest
from holdfast.values.lsn import Lsn

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)


def _window(begins_at: datetime, ends_at: datetime | None, *, end: int, system: str = "1") -> Window:
    return Window(1, begins_at, ends_at, Lsn(0), Lsn(end), f"base-{end}", system)


def _coverage(*windows: Window, gaps: tuple[Gap, ...] = (), bases: int = 1) -> Coverage:
    manifest = BaseBackupManifest.model_construct(id="base")
    return Coverage(windows, gaps, (manifest,) * bases)


def test_same_seed_draws_the_same_instant_and_others_draw_others() -> None:
    """A task that runs again names the same drill, and must not try another instant."""
    coverage = _coverage(_window(NOON, NOON + 24 * HOUR, end=100))

    assert drawn_instant(coverage, "drill a", "shop/production") == drawn_instant(
        coverage, "drill a", "shop/production"
    )
    assert len({drawn_instant(coverage, f"drill {number}", "shop/production") for number in range(20)}) == 20


def test_every_drawn_instant_lies_in_a_window_and_long_windows_get_more() -> None:
    """Between two windows nothing can be recovered, and no window without a known end is drawn from."""
    first, second = (NOON, NOON + HOUR), (NOON + 5 * HOUR, NOON + 14 * HOUR)
    coverage = _coverage(_window(*first, end=100), _window(*second, end=200), _window(NOON + 20 * HOUR, None, end=300))

    drawn = [drawn_instant(coverage, f"drill {number}", "shop/production") for number in range(400)]

    in_first = [at for at in drawn if first[0] <= at <= first[1]]
    assert all(first[0] <= at <= first[1] or second[0] <= at <= second[1] for at in drawn)
    assert 15 <= len(in_first) <= 75


def test_only_the_windows_of_the_named_cluster_are_drawn_from() -> None:
    """A cluster that was replaced is no longer what the environment is recovered to."""
    coverage = _coverage(
        _window(NOON, NOON + HOUR, end=100), _window(NOON + 5 * HOUR, NOON + 6 * HOUR, end=200, system="2")
    )

    drawn = [drawn_instant(coverage, f"{n}", "shop/production", system_identifier="2") for n in range(20)]

    assert min(drawn) >= NOON + 5 * HOUR


def test_a_window_of_one_instant_is_drawn() -> None:
    """Right after the first base backup there may be no more."""
    assert drawn_instant(_coverage(_window(NOON, NOON, end=100)), "drill", "shop/production") == NOON


def test_without_a_base_backup_nothing_is_drawn() -> None:
    """WAL alone recovers nothing."""
    with pytest.raises(UsageError, match="shop/production: there is no base backup") as refused:
        drawn_instant(_coverage(bases=0), "drill", "shop/production")

    assert "holdfast base-backup" in (refused.value.hint or "")


def test_without_an_instant_the_missing_segments_are_named() -> None:
    """A gap right behind the only base backup leaves nothing to be drawn."""
    gap = Gap("1", 1, "000000010000000000000007", "000000010000000000000009", Lsn(7), Lsn(9), None, None)

    with pytest.raises(UsageError, match="segments 000000010000000000000007 to 000000010000000000000009 are missing"):
        drawn_instant(_coverage(_window(NOON, None, end=7), gaps=(gap,)), "drill", "shop/production")

"""Draws the instant that a drill recovers to from all that can be recovered. Pure."""

from __future__ import annotations

import random
from datetime import datetime, timedelta

from holdfast.catalog.windows import Coverage, Stretch
from holdfast.errors import UsageError


def drawn_instant(coverage: Coverage, seed: str, title: str, *, system_identifier: str | None = None) -> datetime:
    """An instant of the windows, each as likely as any other; the same ``seed`` draws the same from the same windows.

    ``system_identifier``: of that cluster's alone. Raises UsageError where there is no window with a known end, naming
    the environment by ``title``.
    """
    spans = [
        (each.begins_at, _length(each))
        for each in timed(coverage)
        if system_identifier in (None, each.system_identifier)
    ]
    if not spans:
        raise _nothing(coverage, title)
    left = random.Random(seed).random() * sum(seconds for _, seconds in spans)  # noqa: S311 - nothing is secret here
    for begins_at, seconds in spans[:-1]:
        if left < seconds:
            return begins_at + timedelta(seconds=left)
        left -= seconds
    begins_at, seconds = spans[-1]
    return begins_at + timedelta(seconds=min(left, seconds))


def timed(coverage: Coverage) -> list[Stretch]:
    """The windows whose ends are known instants, oldest first."""
    return [each for each in coverage.stretches if each.ends_at is not None and each.ends_at >= each.begins_at]


def _length(stretch: Stretch) -> float:
    return ((stretch.ends_at or stretch.begins_at) - stretch.begins_at).total_seconds()


def _nothing(coverage: Coverage, title: str) -> UsageError:
    if not coverage.base_backups:
        return UsageError(
            f"{title}: there is no base backup, so no instant can be recovered",
            hint="Take one first: `holdfast base-backup`, or trigger the environment's DAG base_backup.",
        )
    missing = f": segments {coverage.gaps[-1].first} to {coverage.gaps[-1].last} are missing" if coverage.gaps else ""
    return UsageError(
        f"{title}: no instant can be recovered, for no WAL with a known time follows a base backup{missing}",
        hint="Let the environment's DAG wal, or `holdfast wal stream`, run; after a gap, take a new base backup.",
    )

"""Which remnants of unfinished backups may be collected."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from holdfast.values.duration import Duration
from holdfast.values.ids import RestorePointId


def is_orphan(
    id: RestorePointId,
    written_at: Iterable[datetime],
    *,
    newest_committed: RestorePointId | None,
    grace: Duration,
    now: datetime,
) -> bool:
    """Whether the objects below an uncommitted id belong to a backup that will not finish any more.

    Age alone would let a clock that jumped ahead delete a backup that is running, so a later restore
    point must have been committed too. All times are aware.
    """
    if newest_committed is None or newest_committed <= id:
        return False
    horizon = grace.before(now)
    return id.opened_at < horizon and all(moment < horizon for moment in written_at)

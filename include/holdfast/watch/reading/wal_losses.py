"""What of missing or damaged WAL still matters, and what a newer base backup has put behind. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from datetime import datetime

from holdfast.catalog.windows import Coverage, Gap, Window
from holdfast.errors import UsageError
from holdfast.manifest.wal import WalStatus
from holdfast.values.lsn import Lsn
from holdfast.values.wal_names import WalSegment
from holdfast.watch.facts import WalGapFacts

_SEGMENT = re.compile(r"(?<![0-9A-F])[0-9A-F]{24}(?![0-9A-F])")
_BASE = re.compile(r"[0-9]{8}T[0-9]{6}Z-base_backup-[0-9a-f]{6}")


class Losses:
    """Judged by the newest base backup that can be used; where there is none, everything matters."""

    def __init__(self, coverage: Coverage) -> None:
        self._coverage = coverage
        newest = max(coverage.windows, key=lambda window: (window.begins_at, window.start_lsn), default=None)
        self._newest: Window | None = newest
        self._base = next((one for one in coverage.base_backups if newest and one.id == newest.base_backup), None)

    def gaps(self, status: WalStatus | None) -> tuple[WalGapFacts, ...]:
        """The gaps; what the streamer has not told to be stored is no gap but on its way: the source holds it."""
        stored = Lsn.parse(status.stored_lsn) if status is not None and status.stored_lsn is not None else None
        return tuple(
            WalGapFacts(
                system_identifier=gap.system_identifier,
                timeline=gap.timeline,
                first=gap.first,
                last=gap.last,
                begins_at=gap.begins_at,
                ends_at=gap.ends_at,
                is_healed=self._is_healed(gap),
            )
            for gap in self._coverage.gaps
            if stored is None or gap.start_lsn < stored
        )

    def faults(self) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """(what is wrong from the newest usable base backup on, what is wrong before it)."""
        healed = [text for text in self._coverage.faults if self._is_past(text)]
        return tuple(text for text in self._coverage.faults if text not in healed), tuple(healed)

    def lost(self, status: WalStatus | None) -> str | None:
        """What the streamer told to be lost, unless instants after that can be recovered."""
        if status is None or status.lost is None:
            return None
        at = status.lost_at or status.at
        return None if any(_reaches(window, at) for window in self._coverage.windows) else status.lost

    def _is_healed(self, gap: Gap) -> bool:
        """LSNs along one way are in order; what was left by a switch of the timeline lies before the newer one."""
        newest, base = self._newest, self._base
        if newest is None or base is None:
            return False
        return gap.timeline < base.timeline or gap.end_lsn <= Lsn.parse(base.start_lsn)

    def _is_past(self, text: str) -> bool:
        """Does the fault name only WAL or base backups from before the newest base backup that can be used?"""
        base = self._base
        if base is None:
            return False
        chain = {base.id, *base.chain}
        segments, bases = _SEGMENT.findall(text), _BASE.findall(text)
        old = [_starts_before(name, base.timeline, Lsn.parse(base.start_lsn), base.segment_bytes) for name in segments]
        old += [id < base.id and id not in chain for id in bases]
        return bool(old) and all(old)


def both(one: Sequence[WalGapFacts], other: Iterable[WalGapFacts]) -> tuple[WalGapFacts, ...]:
    """The gaps that two looks have found: a listing that is made while pieces come and go may miss one."""
    found = {(gap.timeline, gap.first) for gap in other}
    return tuple(gap for gap in one if (gap.timeline, gap.first) in found)


def _reaches(window: Window, at: datetime) -> bool:
    return window.begins_at > at or (window.ends_at is not None and window.ends_at > at)


def _starts_before(name: str, timeline: int, lsn: Lsn, segment_bytes: int) -> bool:
    try:
        segment = WalSegment.parse(name, segment_bytes)
    except UsageError:
        return False
    return segment.timeline < timeline or segment.end <= lsn

"""Chooses the base backup for a target, or says why there is none and what comes nearest. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from holdfast.catalog.windows import Coverage, Gap, Window
from holdfast.errors import RestoreError, UsageError
from holdfast.manifest.base_backup import BaseBackupManifest
from holdfast.pitr.target import Target

_SHOW = "`holdfast pitr window` shows from when to when can be recovered."


def choose_windows(
    coverage: Coverage, target: Target, *, timeline: int | None = None, system_identifier: str | None = None
) -> tuple[Window, ...]:
    """The windows that hold the target, the best first: of the newest timeline, with the newest base backup.

    Of a name nobody knows where it lies: every window may hold it. All are of one cluster: of ``system_identifier``, or
    else the one whose base backup is the newest; an instant from before its time may be of an earlier one.
    Raises RestoreError where nothing can be recovered at all, and UsageError with the nearest instant for a target that
    no window holds.
    """
    usable = [window for window in coverage.windows if chain_of(coverage, window.base_backup) is not None]
    if target.time is None:
        usable = [window for window in usable if system_identifier in (None, window.system_identifier)]
    if not usable:
        raise RestoreError(
            "point-in-time recovery: there is no base backup with all the WAL that it needs",
            hint="`holdfast base-backup` takes one, and `holdfast wal stream` the WAL behind it.",
        )
    windows = _of_timeline(usable, timeline)
    if target.time is not None:
        holding = [one for one in windows if one.begins_at <= target.time and _reaches(one, target.time)]
    elif target.lsn is not None:
        holding = [one for one in windows if one.start_lsn <= target.lsn <= one.end_lsn]
    else:
        holding = _newest(windows)
    if not holding:
        raise _refusal(coverage, windows, target)
    wanted = max(holding, key=lambda one: (one.system_identifier == system_identifier, *_age(usable, one)))
    holding = [one for one in holding if one.system_identifier == wanted.system_identifier]
    return tuple(sorted(holding, key=lambda one: (one.timeline, one.start_lsn, one.begins_at), reverse=True))


def newest_cluster(windows: Iterable[Window]) -> str:
    """The system identifier of the cluster whose base backup is the newest; there must be a window."""
    return max(windows, key=lambda one: one.begins_at).system_identifier


def chain_of(coverage: Coverage, id: str) -> tuple[BaseBackupManifest, ...] | None:
    """What a base backup builds on, the full one first, itself last; None where a link of the chain is missing."""
    known = {manifest.id: manifest for manifest in coverage.base_backups}
    chain: list[BaseBackupManifest] = []
    wanted: str | None = id
    while wanted is not None:
        manifest = known.get(wanted)
        if manifest is None or manifest in chain:
            return None
        chain.append(manifest)
        wanted = manifest.parent
    return tuple(reversed(chain))


def later_gaps(coverage: Coverage, window: Window) -> tuple[Gap, ...]:
    """Gaps behind the window: WAL after them is stored, or was made, that no recovery by this window reaches."""
    return tuple(
        gap
        for gap in coverage.gaps
        if gap.system_identifier == window.system_identifier and gap.start_lsn >= window.end_lsn
    )


def _of_timeline(windows: list[Window], timeline: int | None) -> list[Window]:
    if timeline is None:
        return windows
    found = [window for window in windows if window.timeline == timeline]
    if not found:
        known = ", ".join(map(str, sorted({window.timeline for window in windows})))
        raise UsageError(
            f"timeline {timeline}: no window leads there", hint=f"Windows lead to: {known}. Each holds its ancestors."
        )
    return found


def _newest(windows: list[Window]) -> list[Window]:
    """Of the cluster whose base backup is the newest, and of its newest timeline, up to its end."""
    system = newest_cluster(windows)
    own = [one for one in windows if one.system_identifier == system]
    timeline = max(one.timeline for one in own)
    end = max(one.end_lsn for one in own if one.timeline == timeline)
    return [one for one in own if one.timeline == timeline and one.end_lsn == end]


def _age(windows: list[Window], window: Window) -> tuple[datetime, str]:
    """How new the cluster of a window is: by its newest base backup."""
    own = (one.begins_at for one in windows if one.system_identifier == window.system_identifier)
    return max(own), window.system_identifier


def _reaches(window: Window, moment: datetime) -> bool:
    return window.ends_at is not None and moment <= window.ends_at


def _refusal(coverage: Coverage, windows: list[Window], target: Target) -> UsageError:
    if target.time is None:
        spans = "; ".join(f"{one.start_lsn} to {one.end_lsn} on timeline {one.timeline}" for one in windows)
        return UsageError(f"recovery target {target}: no window holds it", hint=f"Windows are: {spans}.")
    first = min(windows, key=lambda one: one.begins_at)
    ends = [one.ends_at for one in windows if one.ends_at is not None]
    if target.time < first.begins_at:
        return UsageError(
            f"recovery target {target}: it is before the end of the oldest base backup, {first.base_backup}",
            hint=f"The nearest instant that can be recovered to is {_shown(first.begins_at, target.time)}.",
        )
    if not ends or target.time > max(ends):
        last = f"The last instant is {_shown(max(ends), target.time)}. " if ends else ""
        return UsageError(
            f"recovery target {target}: it is after the last WAL that is stored",
            hint=f"{last}--latest recovers as far as the WAL goes.",
        )
    return _in_gap(coverage, windows, target.time)


def _in_gap(coverage: Coverage, windows: Iterable[Window], moment: datetime) -> UsageError:
    before = max(one.ends_at for one in windows if one.ends_at is not None and one.ends_at < moment)
    after = [one.begins_at for one in windows if one.begins_at > moment]
    reason = next((_told(gap) for gap in coverage.gaps if _may_hold(gap, moment)), "no WAL leads there")
    later = f", the first one after it {_shown(min(after), moment)}" if after else ""
    return UsageError(
        f"recovery target {moment.isoformat()}: it lies in a gap: {reason}",
        hint=f"The last instant before it is {_shown(before, moment)}{later}. {_SHOW}",
    )


def _may_hold(gap: Gap, moment: datetime) -> bool:
    """What lies behind missing WAL is out of reach too, up to the next base backup."""
    return gap.begins_at is None or gap.begins_at <= moment


def _told(gap: Gap) -> str:
    return f"WAL {gap.first} is missing" if gap.first == gap.last else f"WAL {gap.first} to {gap.last} is missing"


def _shown(moment: datetime, like: datetime) -> str:
    """In the zone that was asked in."""
    return moment.astimezone(like.tzinfo).isoformat()

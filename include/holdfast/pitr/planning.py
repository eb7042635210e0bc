"""Plans a recovery: which base backup, built on which others, along which timeline, to which target."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from holdfast.catalog.windows import Coverage, Window, read_coverage
from holdfast.environment import Environment
from holdfast.errors import ObjectMissing
from holdfast.manifest.base_backup import BaseBackupManifest
from holdfast.pitr.choosing import chain_of, choose_windows, later_gaps, newest_cluster
from holdfast.pitr.target import Target


@dataclass(frozen=True, slots=True)
class RecoveryPlan:
    """What a recovery will do. ``chain`` are the base backups that ``base`` builds on, the full one first.

    ``others`` are plans with older base backups, for a named target that lies before this one.
    """

    base: BaseBackupManifest
    chain: tuple[BaseBackupManifest, ...]
    target: Target
    timeline: int
    window: Window
    notes: tuple[str, ...] = ()
    others: tuple[RecoveryPlan, ...] = ()

    @property
    def major(self) -> int:
        """The major version of the servers that can replay it."""
        return self.base.server_version_num // 10000

    @property
    def wal_bytes(self) -> int:
        """WAL between the base backup and the window's end: what is replayed at most."""
        return max(0, self.window.end_lsn - self.window.start_lsn)


def plan_recovery(environment: Environment, target: Target, *, timeline: int | None = None) -> RecoveryPlan:
    """Read what the store holds, and plan; nothing is written.

    Raises UsageError for a target that cannot be had, with the nearest that can, RestoreError where nothing can be
    recovered, and what the store and the signatures of records raise.
    """
    coverage = read_coverage(
        environment.wal_catalog, environment.base_catalog, environment.verifier(), environment.identities()
    )
    return plan(coverage, target, timeline=timeline, system_identifier=environment.policy.database.system_identifier)


def plan(
    coverage: Coverage, target: Target, *, timeline: int | None = None, system_identifier: str | None = None
) -> RecoveryPlan:
    """The plan by what is stored; pure. Raises as ``plan_recovery``."""
    windows = choose_windows(coverage, target, timeline=timeline, system_identifier=system_identifier)
    best, *others = (_planned(coverage, target, window) for window in windows)
    if target.kind == "name":
        return replace(best, others=tuple(others))
    return replace(best, notes=(*best.notes, *_told(coverage, windows, timeline, system_identifier)))


def _told(
    coverage: Coverage, windows: tuple[Window, ...], timeline: int | None, system_identifier: str | None
) -> Iterator[str]:
    """What the choice was, where others would have been possible, or another was to be expected."""
    chosen, current = windows[0], system_identifier or newest_cluster(coverage.windows)
    others = sorted({window.timeline for window in windows} - {chosen.timeline})
    if others and timeline is None:
        also = ", ".join(map(str, others))
        yield (
            f"timeline {chosen.timeline} is followed; timeline {also} has that instant as well, and other commits "
            "where they had parted by then: --timeline chooses"
        )
    if chosen.system_identifier != current:
        yield f"recovered is the earlier cluster {chosen.system_identifier}, not {current}"


def _planned(coverage: Coverage, target: Target, window: Window) -> RecoveryPlan:
    chain = chain_of(coverage, window.base_backup)
    if chain is None:
        raise ObjectMissing(f"base backup {window.base_backup}: its chain is not complete")
    notes = [
        f"WAL {gap.first} is missing: nothing after {window.end_lsn} can be reached"
        for gap in later_gaps(coverage, window)[:1]
        if target.kind == "latest"
    ]
    return RecoveryPlan(chain[-1], chain[:-1], target, window.timeline, window, tuple(notes))

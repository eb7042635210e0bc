"""The retention rules of base backups: which stay, and why (docs/pitr.md, "Retention")."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from holdfast.retention.rules import Decision
from holdfast.values.duration import Duration
from holdfast.values.ids import RestorePointId
from holdfast.values.wal_names import WalSegment

_SPOILT = "its signature or place is wrong: left for a person to look at"


@dataclass(frozen=True, slots=True)
class BaseBackup:
    """What retention must know of a committed base backup; of one that cannot be trusted only the first four.

    ``is_trusted``: its signature fits and it belongs where it lies. ``is_whole``: its objects stand in the recorded
    size, and so do those of its ``chain``, the base backups that it builds on. ``has_wal``: the WAL from its start to
    its stop is stored; without it nothing can be made of it. ``start``: the first segment of that. ``finished_at``: by
    the server's clock; ``stored_at``: when the store received its manifest, by the store's.
    """

    id: RestorePointId
    stored_at: datetime
    is_held: bool
    is_trusted: bool
    finished_at: datetime
    system_identifier: str = ""
    start: WalSegment | None = None
    chain: tuple[RestorePointId, ...] = ()
    is_whole: bool = False
    has_wal: bool = False

    @property
    def is_recoverable(self) -> bool:
        """Can a server be made of it?"""
        return self.is_trusted and self.is_whole and self.has_wal

    @property
    def taken_at(self) -> datetime:
        """The later of id and manifest: a clock that was behind does not make it old."""
        return max(self.id.opened_at, self.finished_at)

    @property
    def taken_at_least(self) -> datetime:
        """The earlier of the two: a clock that was ahead does not make it the newest for ever."""
        return min(self.id.opened_at, self.finished_at)


@dataclass(frozen=True, slots=True)
class BaseBackupRules:
    """``keep`` and ``wal_keep``: the spans of the tiers base_backup and wal, None for ever.

    ``wished``: the cluster that the policy names. ``last_wal_at``: when the store received the last WAL of each.
    """

    keep: Duration | None
    wal_keep: Duration | None
    wished: str | None = None
    last_wal_at: Mapping[str, datetime] = field(default_factory=dict)


def decide_base_backups(
    backups: Iterable[BaseBackup],
    rules: BaseBackupRules,
    now: datetime,
    hindered: Mapping[RestorePointId, str] | None = None,
) -> list[Decision]:
    """One decision for every base backup, oldest first.

    Whatever ``now`` (aware) says, these stay: what is held, the newest recoverable one of each cluster in use by any
    of its clocks, what cannot be trusted and what is older than that, for nobody knows what it needs, and all that a
    kept incremental one builds on. So does the last one before the WAL tier's span: the WAL that is kept for this span
    would be of no use without it. ``hindered``: what cannot be deleted for other reasons.
    """
    ordered = sorted(backups, key=lambda backup: backup.id)
    protected = _protected(ordered, rules, now)
    doubtful = max((backup.id for backup in ordered if not backup.is_trusted), default=None)
    has_recoverable = any(backup.is_recoverable for backup in ordered)

    def reason(backup: BaseBackup) -> str | None:
        found = "held" if backup.is_held else protected.get(backup.id)
        if found is None and not backup.is_trusted:
            found = _SPOILT
        if found is None and rules.keep is None:
            found = "tier base_backup has no retention in the policy"
        if found is None and not has_recoverable:
            found = "no base backup is left that can be recovered: nothing is deleted"
        if found is None and rules.keep is not None and backup.taken_at >= rules.keep.before(now):
            found = f"within {rules.keep} of tier base_backup"
        if found is None and doubtful is not None and backup.id < doubtful:
            found = f"base backup {doubtful} cannot be trusted, so what it needs is not known"
        return found or (hindered or {}).get(backup.id)

    kept = {backup.id: why for backup in ordered if (why := reason(backup)) is not None}
    # A chain names all its ancestors, so that one pass finds them.
    for backup in ordered:
        for parent in backup.chain if backup.id in kept else ():
            kept.setdefault(parent, f"the incremental base backup {backup.id} builds on it")
    return [
        Decision(backup.id, backup.id in kept, kept.get(backup.id) or _gone(backup, rules.keep)) for backup in ordered
    ]


def clusters_in_use(backups: Iterable[BaseBackup], rules: BaseBackupRules) -> set[str]:
    """The system identifiers that no other cluster has replaced.

    One is replaced once the store has received a recoverable base backup of another, newer than all of its own by
    every clock, after its last WAL.
    """
    recoverable = [backup for backup in backups if backup.is_recoverable]
    found = {backup.system_identifier for backup in recoverable} | rules.last_wal_at.keys()
    return {system for system in found if system == rules.wished or not _is_replaced(system, recoverable, rules)}


def _is_replaced(system: str, recoverable: list[BaseBackup], rules: BaseBackupRules) -> bool:
    own = [backup for backup in recoverable if backup.system_identifier == system]
    last_wal_at = rules.last_wal_at.get(system)
    return any(
        (last_wal_at is None or other.stored_at > last_wal_at)
        and all(
            other.stored_at > backup.stored_at
            and other.id.opened_at > backup.id.opened_at
            and other.finished_at > backup.finished_at
            for backup in own
        )
        for other in recoverable
        if other.system_identifier != system
    )


def _protected(backups: list[BaseBackup], rules: BaseBackupRules, now: datetime) -> dict[RestorePointId, str]:
    found: dict[RestorePointId, str] = {}
    in_use = clusters_in_use(backups, rules)
    for system in sorted({backup.system_identifier for backup in backups if backup.is_recoverable}):
        own = [backup for backup in backups if backup.is_recoverable and backup.system_identifier == system]
        found |= dict.fromkeys(
            _needed_by_span(own, rules.wal_keep, rules.last_wal_at.get(system), now), _spanning(rules)
        )
        if system in in_use:
            found |= dict.fromkeys(_newest(own), "newest base backup that can be recovered")
    return found


def _needed_by_span(
    own: list[BaseBackup], wal_keep: Duration | None, last_wal_at: datetime | None, now: datetime
) -> set[RestorePointId]:
    """The last one before the span in which WAL is kept, as long as there is WAL of that span."""
    if wal_keep is None or last_wal_at is None or last_wal_at < wal_keep.before(now):
        return set()
    before = [backup for backup in own if backup.taken_at <= wal_keep.before(now)]
    return {max(before, key=lambda backup: (backup.taken_at, backup.id)).id} if before else set()


def _spanning(rules: BaseBackupRules) -> str:
    return f"the {rules.wal_keep} of tier wal are recovered from it"


def _newest(backups: list[BaseBackup]) -> set[RestorePointId]:
    """By id, on which the next incremental one builds, by the later and the earlier of host and server, by the store.

    The first three may lie on one machine.
    """
    orders: tuple[Callable[[BaseBackup], tuple[datetime, RestorePointId]], ...] = (
        lambda backup: (backup.id.opened_at, backup.id),
        lambda backup: (backup.taken_at, backup.id),
        lambda backup: (backup.taken_at_least, backup.id),
        lambda backup: (backup.stored_at, backup.id),
    )
    return {max(backups, key=order).id for order in orders} if backups else set()


def _gone(backup: BaseBackup, keep: Duration | None) -> str:
    text = f"older than {keep} of tier base_backup"
    if not backup.has_wal:
        return f"{text}, and of no use: WAL up to its stop is not in the store"
    return text if backup.is_whole else f"{text}, and of no use: it is not whole"

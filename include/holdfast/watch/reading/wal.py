"""What is known of the WAL of the cluster in use: how far it is caught up, what is missing, what the slot holds."""

from __future__ import annotations

from datetime import datetime, timedelta

from holdfast.catalog.wal_status import KnownStatus, WalStatusCatalog
from holdfast.catalog.windows import Coverage, read_coverage
from holdfast.crypto.signing import Verifier
from holdfast.environment import Environment
from holdfast.errors import PermanentError, StoreRefused
from holdfast.watch.facts import WalFacts
from holdfast.watch.reading.wal_listing import ClusterBases, ListedWal, bases_of, list_all, list_wal, remembered
from holdfast.watch.reading.wal_losses import Losses, both

_MOST_FAULTS = 20
_SEGMENT_BYTES = 16 << 20


def read_wal(environment: Environment, now: datetime, known: WalFacts | None) -> WalFacts | None:
    """The facts of the cluster in use; None where no WAL is streamed. ``known`` is what an earlier look found.

    In use is the cluster that the policy names, else that of the newest base backup. A constant number of requests,
    where the WAL is long as many as it takes to list what is new; once a day all is listed. Raises StoreError,
    StoreRefused, and UsageError where there is no key to trust anything by.
    """
    if environment.policy.database.pitr != "streaming":
        return None
    verifier = environment.verifier()
    system = _in_use(environment, verifier, now)
    if system is None:
        return WalFacts(system_identifier=None)
    if known is not None and known.system_identifier != system:
        known = None
    return _Reading(environment, verifier, system, now, known).facts()


class _Reading:
    """One look. The status is read before the listing is made: what it tells to be stored must be in that."""

    def __init__(
        self, environment: Environment, verifier: Verifier, system: str, now: datetime, known: WalFacts | None
    ) -> None:
        self._environment, self._verifier, self._system = environment, verifier, system
        self._now, self._known = now, known
        statuses = WalStatusCatalog(environment.store, environment.keys)
        self._status, self._distrusted = statuses.newest(system, verifier, now)

    def facts(self) -> WalFacts:
        memory = None if self._known is None else self._known.memory
        wal = list_wal(self._environment, self._system, self._now, memory)
        bases = bases_of(self._environment, self._system, self._verifier, self._now, memory)
        coverage = self._coverage(wal, bases)
        status = None if self._status is None else self._status.status
        losses = Losses(coverage)
        gaps = losses.gaps(status)
        seen = () if self._known is None else self._known.gaps
        if len(both(gaps, seen)) < len(gaps):
            # Whom it wakes, it must be true for.
            wal = list_all(self._environment, self._system, self._now)
            losses = Losses(coverage := self._coverage(wal, bases))
            gaps = both(losses.gaps(status), gaps)
        faults, healed = losses.faults()
        newest = [wal.newest_at, None if self._known is None else self._known.newest_at]
        facts = WalFacts(
            system_identifier=self._system,
            lost=losses.lost(status),
            newest_at=max((at for at in newest if at is not None), default=None),
            gaps=gaps,
            faults=(*self._distrusted, *faults)[:_MOST_FAULTS],
            healed_faults=healed[:_MOST_FAULTS],
            memory=remembered(wal, bases, _segment_bytes(coverage)),
        )
        return facts if self._status is None else facts.model_copy(update=_told(self._status))

    def _coverage(self, wal: ListedWal, bases: ClusterBases) -> Coverage:
        return read_coverage(wal, bases, self._verifier)


def _told(known: KnownStatus) -> dict[str, object]:
    """What the streamer told, its clock set by the store's: one that is ahead must not look alive when it is not."""
    status = known.status
    at = min(status.at, known.written_at)
    return {
        "status_at": at,
        "caught_up_at": None if status.caught_up_at is None else at - max(status.at - status.caught_up_at, timedelta()),
        "behind_bytes": status.behind_bytes,
        "retained_bytes": status.retained_bytes,
        "safe_bytes": status.safe_wal_bytes,
    }


def _in_use(environment: Environment, verifier: Verifier, now: datetime) -> str | None:
    """The cluster that the policy names, else the only one, else that of the newest base backup or status."""
    named = environment.policy.database.system_identifier
    if named is not None:
        return named
    systems = environment.wal_catalog.systems()
    if len(systems) == 1:
        return systems[0]
    for entry in reversed(environment.base_catalog.entries()):
        if entry.is_committed:
            try:
                return environment.base_catalog.manifest(entry.id, verifier).system_identifier
            except StoreRefused:
                raise
            except PermanentError:
                continue
    statuses = WalStatusCatalog(environment.store, environment.keys)
    told = [(status.written_at, system) for system in systems if (status := statuses.newest(system, verifier, now)[0])]
    return max(told)[1] if told else next(reversed(systems), None)


def _segment_bytes(coverage: Coverage) -> int:
    """Of what is remembered; where there is no base backup, nothing is asked of it."""
    return coverage.base_backups[-1].segment_bytes if coverage.base_backups else _SEGMENT_BYTES

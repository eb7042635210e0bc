"""Deletes the WAL that no kept base backup needs and no span covers, the oldest first, and remnants of WAL.

An object goes before its record: what a run that is cut off leaves is a record, which the next one takes.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from functools import partial
from itertools import batched, groupby

from holdfast.audit import record_deletions
from holdfast.catalog import BaseBackupCatalog, WalCatalog
from holdfast.catalog.wal_status import STATUSES_KEPT_FOR, WalStatusCatalog
from holdfast.catalog.windows import Coverage, read_coverage
from holdfast.environment import Environment
from holdfast.errors import PermanentError, StoreRefused
from holdfast.expire.base_backups import BaseBackupsReport, rules_of, unfinished
from holdfast.expire.hiding import Without
from holdfast.expire.locks import Locks
from holdfast.expire.wal_report import Stretches, WalReport, WalRun
from holdfast.expire.wal_state import ListedPiece, WalState
from holdfast.retention.base_backups import BaseBackup, clusters_in_use
from holdfast.retention.media import CHECKS_KEPT, CHECKS_KEPT_FOR, expendable_checks
from holdfast.retention.wal import Leaving, Needs, WalRules, decide_wal, obstacle
from holdfast.storage.protocol import Store
from holdfast.values.ids import RestorePointId

_AT_ONCE = 8
_BATCH = 64


def coverage_of(environment: Environment, hidden: Collection[str] = ()) -> Coverage | None:
    """What can be recovered from when to when, or could be without some objects; None where that cannot be read."""
    store: Store = Without(environment.store, hidden) if hidden else environment.store
    catalogs = WalCatalog(store, environment.keys), BaseBackupCatalog(store, environment.keys)
    try:
        return read_coverage(*catalogs, environment.verifier())
    except StoreRefused:
        raise
    except PermanentError:
        return None


def expire_wal(
    environment: Environment,
    state: WalState,
    base_backups: BaseBackupsReport,
    before: Coverage | None,
    *,
    now: datetime,
    dry_run: bool,
    locks: Locks,
) -> WalReport:
    """Delete expired WAL and remnants, or only tell which. ``before``: as it was before base backups went."""
    expiry = _Expiry(environment, now, dry_run, locks)
    kept_ids = {decision.id for decision in base_backups.kept}
    kept = [backup for backup in state.backups if backup.id in kept_ids]
    deleted: list[WalRun] = []
    for system, pieces in state.pieces.items():
        deleted += expiry.cluster(state, system, pieces, kept)
        deleted += expiry.checks(system)
        deleted += expiry.statuses(system)
    gone_ids = {deletion.id for deletion in base_backups.deleted}
    hidden = expiry.gone | _keys_of(environment, state, gone_ids) if dry_run else frozenset[str]()
    stored = sum(_is_segment(piece) for pieces in state.pieces.values() for piece in pieces)
    return WalReport(
        tuple(deleted),
        stored - sum(run.segments for run in deleted),
        tuple(expiry.left),
        _stretches(before),
        _stretches(coverage_of(environment, hidden) if deleted or gone_ids else before),
    )


def _stretches(coverage: Coverage | None) -> Stretches:
    return None if coverage is None else tuple(stretch.as_json() for stretch in coverage.stretches)


class _Expiry:
    """One run. ``left``: what could not be decided or deleted; ``gone``: the keys of what went."""

    def __init__(self, environment: Environment, now: datetime, dry_run: bool, locks: Locks) -> None:
        self._environment = environment
        self._now = now
        self._dry_run = dry_run
        self._locks = locks
        self.left: list[str] = []
        self.gone: set[str] = set()

    def cluster(
        self, state: WalState, system: str, pieces: Iterable[ListedPiece], kept: list[BaseBackup]
    ) -> Iterator[WalRun]:
        """Delete what goes of one cluster's WAL."""
        base_rules = rules_of(self._environment, state)
        rules = WalRules(base_rules.wal_keep, self._environment.policy.orphan_grace, self._now)
        needs = Needs.of(backup for backup in kept if backup.system_identifier == system)
        leaving = decide_wal(pieces, needs, rules, self._received_at)
        reason = obstacle(system, kept, clusters_in_use(state.backups, base_rules)) or self._under_way(state)
        if reason is not None and leaving.expired:
            self.left.append(f"all WAL of cluster {system}: {reason}")
        expired = () if reason is not None else leaving.expired
        old = f"older than {rules.keep} of tier wal, and no kept base backup needs it"
        yield from self._runs(system, expired, old)
        yield from self._runs(system, leaving.superseded, "more of the same segment is stored")
        yield from self._remnants(system, leaving)

    def checks(self, system: str) -> Iterator[WalRun]:
        """Delete old records of checks."""
        prefix = f"{self._environment.keys.wal_of(system)}checks/"
        listed = {stored.key: stored for stored in self._environment.store.list(prefix)}
        ids = {key: RestorePointId.recognised(key.removeprefix(prefix).removesuffix(".json")) for key in listed}
        old = set(expendable_checks((id for id in ids.values() if id is not None), self._now))
        keys = [key for key, id in ids.items() if id in old and self._locks.reason([key]) is None]
        if keys:
            names = [str(ids[key]) for key in keys]
            reason = f"records of checks older than {CHECKS_KEPT_FOR}, and {CHECKS_KEPT} newer ones stand"
            self._record(f"{system}/checks/{names[0]} to {names[-1]}", reason)
            self._delete(keys)
            yield WalRun(system, 0, names[0], names[-1], 0, sum(listed[key].size_bytes for key in keys), reason)

    def statuses(self, system: str) -> Iterator[WalRun]:
        """Delete what streamers said long ago and, killed, did not clear away."""
        catalog = WalStatusCatalog(self._environment.store, self._environment.keys)
        horizon = self._now - STATUSES_KEPT_FOR
        found = [one for one in catalog.expendable(system) if one.modified_at < horizon]
        free = [one for one in found if self._locks.reason([one.key]) is None]
        if free:
            self._delete([one.key for one in free])
            names = sorted(one.key.rpartition("/")[2] for one in free)
            size = sum(one.size_bytes for one in free)
            yield WalRun(system, 0, names[0], names[-1], 0, size, "statuses of streamers, and newer ones stand")

    def _remnants(self, system: str, leaving: Leaving[ListedPiece]) -> Iterator[WalRun]:
        """What is half there, looked at afresh: a streamer may have gone on with it."""
        catalog = self._environment.wal_catalog
        lone = [piece for piece in leaving.remnants if self._dry_run or _is_as_listed(catalog, piece)]
        grace = self._environment.policy.orphan_grace
        yield from self._runs(system, lone, f"an object without its record, or a record alone, older than {grace}")
        for piece in leaving.unrecorded:
            self.left.append(f"WAL {system}/{piece.listed.name}: its record is missing, but it may be needed")

    def _runs(self, system: str, pieces: Iterable[ListedPiece], reason: str) -> Iterator[WalRun]:
        for timeline, of_timeline in groupby(pieces, key=lambda piece: piece.timeline):
            going = list(of_timeline)
            self._record(f"{system}/{going[0].listed.name} to {going[-1].listed.name}", reason)
            gone = list(self._removed(going))
            if gone:
                size = sum(piece.listed.stored.size_bytes for piece in gone if piece.listed.stored is not None)
                names = gone[0].listed.name, gone[-1].listed.name
                yield WalRun(system, timeline, *names, sum(map(_is_segment, gone)), size, reason)

    def _record(self, going: str, reason: str) -> None:
        record_deletions(self._environment, "WAL", [(going, reason)], dry_run=self._dry_run)

    def _removed(self, pieces: Iterable[ListedPiece]) -> Iterator[ListedPiece]:
        """Remove pieces of one timeline in their order, up to the first that the store locks."""
        for batch in batched(pieces, _BATCH):
            free, locked = self._unlocked(batch)
            if not self._dry_run:
                with ThreadPoolExecutor(_AT_ONCE) as threads:
                    list(threads.map(self._delete, map(self._keys, free)))
            else:
                self.gone.update(key for piece in free for key in self._keys(piece))
            yield from free
            if locked is not None:
                self.left.append(f"WAL {batch[0].listed.system_identifier}/{batch[len(free)].listed.name}: {locked}")
                return

    def _unlocked(self, batch: tuple[ListedPiece, ...]) -> tuple[list[ListedPiece], str | None]:
        if self._locks.reason(key for piece in batch for key in self._keys(piece)) is None:
            return list(batch), None
        for number, piece in enumerate(batch):
            reason = self._locks.reason(self._keys(piece))
            if reason is not None:
                return list(batch[:number]), reason
        return list(batch), None

    def _delete(self, keys: Iterable[str]) -> None:
        for key in keys:
            if self._dry_run:
                self.gone.add(key)
            else:
                self._environment.store.delete(key)

    def _keys(self, piece: ListedPiece) -> list[str]:
        catalog = self._environment.wal_catalog
        return [catalog.key(piece.listed)] * piece.has_object + [catalog.record_key(piece.listed)] * piece.has_record

    def _received_at(self, piece: ListedPiece) -> datetime | None:
        try:
            return self._environment.wal_catalog.record(piece.listed, self._environment.verifier()).received_at
        except StoreRefused:
            raise
        except PermanentError:
            return None

    def _under_way(self, state: WalState) -> str | None:
        """A base backup that is not finished may have begun before those that are kept."""
        running = unfinished(self._environment, state, self._now)[False]
        if running:
            return f"base backup {running[0].id} is not finished"
        if self._dry_run:
            return None
        new = [
            entry.id
            for entry in self._environment.base_catalog.entries()
            if entry.id not in state.entries or entry.is_committed > state.entries[entry.id].is_committed
        ]
        return f"base backup {new[0]} came while expire ran" if new else None


def _is_as_listed(catalog: WalCatalog, piece: ListedPiece) -> bool:
    """Is what was missing still missing?"""
    key: Callable[[], str] = partial(catalog.key if piece.has_record else catalog.record_key, piece.listed)
    try:
        catalog.store.head(key())
    except PermanentError:
        return True
    return False


def _is_segment(piece: ListedPiece) -> bool:
    return piece.is_stored and piece.listed.kind == "segment"


def _keys_of(environment: Environment, state: WalState, ids: Collection[str]) -> frozenset[str]:
    return frozenset(
        environment.keys.base_backup(id, name)
        for id, entry in state.entries.items()
        if str(id) in ids
        for name in entry.objects
    )

"""Checks the stored WAL from each base backup on, and the base backups: continuity, and contents to the last byte."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from functools import partial

from holdfast.catalog import WalPiece
from holdfast.catalog.cluster_wal import read_cluster
from holdfast.catalog.marks import said
from holdfast.catalog.usable_bases import committed_bases
from holdfast.catalog.wal_checks import WalCheckCatalog
from holdfast.catalog.wal_reading import history_reader
from holdfast.environment import Environment
from holdfast.errors import HoldfastError, PermanentError, StoreRefused, UsageError
from holdfast.manifest.base_backup import BaseBackupManifest
from holdfast.media.side_by_side import side_by_side
from holdfast.progress import Progress, Silent
from holdfast.verify.base_backups import BaseReader
from holdfast.verify.media_shard import Progressed
from holdfast.verify.wal_cluster import ClusterCheck
from holdfast.verify.wal_continuity import continuity
from holdfast.verify.wal_memory import WalMemory
from holdfast.verify.wal_piece import PieceReader
from holdfast.verify.wal_report import WalCheckReport, WalFault

_SILENT = Silent()
_THREADS = 2


def check_wal(environment: Environment, *, everything: bool = False, progress: Progress = _SILENT) -> WalCheckReport:
    """Check that WAL is there without a gap from each base backup on, and that what is there is what was stored.

    What earlier checks have read and nobody has written since is not read again, unless ``everything`` is to be. Damage
    is reported, not raised; the result is stored, signed, where a signing key is at hand. Without an identity only that
    all exists is checked. Raises StoreError where the store does not answer, UsageError where nothing can be trusted.
    """
    return _Check(environment, everything, progress).run()


class _Check:
    """One check."""

    def __init__(self, environment: Environment, everything: bool, progress: Progress) -> None:
        self._environment, self._everything, self._progress = environment, everything, progress
        self._began_at, self._started = environment.clock(), time.monotonic()
        self._verifier, self._identities = environment.verifier(), environment.identities()
        self._progressed = Progressed()
        self._faults: list[WalFault] = []
        self._notes: list[str] = []
        self._records: list[str] = []
        self._counts = dict.fromkeys(("pieces", "read", "bases", "bases_read"), 0)
        if self._identities is None:
            self._notes.append("no identity_file in the policy: of the WAL, only that it is there was looked at")
        self._is_key_right = self._identities is None or environment.identities_fit(self._identities)
        if not self._is_key_right:
            self._notes.append(
                "keys.identity_file opens nothing that is encrypted to the policy's recipients: correct it"
            )

    def run(self) -> WalCheckReport:
        """Read, compare, look for gaps, remember."""
        listed = self._environment.wal_catalog.pieces()
        clusters = list(self._clusters(listed))
        read: list[tuple[ClusterCheck, list[str]]] = []
        jobs: list[partial[None]] = []
        total = 0
        for cluster in clusters:
            known, own_jobs, own_bytes = self._jobs(cluster, listed)
            read.append((cluster, known))
            jobs += own_jobs
            total += own_bytes
        self._read(jobs, total, read)
        for cluster in clusters:
            self._faults += [one.fault for one in cluster.answers if one.fault is not None and not one.is_gone]
        found = continuity(self._environment, self._identities, listed, clusters)
        said_already = {str(fault) for fault in self._faults}
        self._faults += [fault for fault in found.faults if str(fault) not in said_already]
        self._notes += found.notes
        return WalCheckReport(
            pieces=self._counts["pieces"],
            read=self._counts["read"],
            base_backups=self._counts["bases"],
            base_backups_read=self._counts["bases_read"],
            bytes=self._progressed.bytes,
            faults=tuple(self._faults),
            is_decrypted=self._identities is not None,
            records=tuple(self._records),
            notes=tuple(self._notes),
            seconds=time.monotonic() - self._started,
        )

    def _clusters(self, listed: Sequence[WalPiece]) -> Iterator[ClusterCheck]:
        """The clusters that have base backups: nothing can be recovered of any other."""
        environment = self._environment
        committed, _ = committed_bases(environment.base_catalog, self._verifier)
        by_system: dict[str, list[BaseBackupManifest]] = {}
        for manifest, _ in committed:
            by_system.setdefault(manifest.system_identifier, []).append(manifest)
        for system, bases in sorted(by_system.items()):
            wal = read_cluster(
                environment.wal_catalog,
                self._verifier,
                system,
                [piece for piece in listed if piece.system_identifier == system],
                segment_bytes=bases[-1].segment_bytes,
                read_history=history_reader(environment.wal_catalog, self._identities),
            )
            if wal is not None:
                yield ClusterCheck(wal, bases, self._memory(system), self._everything)

    def _memory(self, system: str) -> WalMemory:
        environment = self._environment
        checks = WalCheckCatalog(environment.store, environment.keys)
        try:
            return WalMemory(checks.newest(system, self._verifier))
        except StoreRefused:
            raise
        except PermanentError as error:
            self._faults.append(WalFault(None, said(error)))
            return WalMemory(None)

    def _jobs(self, cluster: ClusterCheck, listed: Sequence[WalPiece]) -> tuple[list[str], list[partial[None]], int]:
        """(names that need not be read again, what is to be done, how many stored bytes that reads)."""
        environment, known, jobs, total = self._environment, [], [], 0
        objects = {str(entry.id): entry.objects for entry in environment.base_catalog.entries()}
        base_reader = BaseReader(environment.base_catalog, self._identities, self._progressed.add)
        for base in cluster.bases:
            self._counts["bases"] += 1
            written = [stored.modified_at for stored in objects.get(base.id, {}).values()]
            if written and cluster.is_known_base(base, max(written)):
                known.append(base.id)
                continue
            self._counts["bases_read"] += 1
            total += base.stored_bytes
            jobs.append(partial(_extend, cluster, base_reader, base))
        for piece in cluster.needed([one for one in listed if one.system_identifier == cluster.wal.system_identifier]):
            self._counts["pieces"] += 1
            if cluster.is_known(piece):
                known.append(piece.name)
            elif self._identities is not None:
                self._counts["read"] += 1
                total += piece.stored.size_bytes if piece.stored is not None else 0
                jobs.append(partial(_append, cluster, self._reader(cluster), piece))
        return known, jobs, total

    def _reader(self, cluster: ClusterCheck) -> PieceReader:
        return PieceReader(
            self._environment.wal_catalog,
            self._verifier,
            self._identities or (),
            cluster.wal.histories,
            self._progressed.add,
        )

    def _read(self, jobs: list[partial[None]], total: int, read: Sequence[tuple[ClusterCheck, list[str]]]) -> None:
        told = 0

        def tell() -> None:
            nonlocal told
            moved = self._progressed.bytes
            self._progress.advance(moved - told)
            told = moved

        self._progress.begin("check", total)
        try:
            side_by_side(jobs, _THREADS, self._progressed.stop, tell)
        except BaseException:
            # Hours of reading are not to be done again because of an interrupt.
            with suppress(HoldfastError):
                self._remember(read, is_complete=False)
            raise
        tell()
        self._progress.end(f"{self._counts['read']} pieces of WAL, {self._counts['bases_read']} base backups")
        self._remember(read, is_complete=True)

    def _remember(self, read: Sequence[tuple[ClusterCheck, list[str]]], *, is_complete: bool) -> None:
        environment = self._environment
        if self._identities is None or not any(cluster.answers for cluster, _ in read):
            return
        try:
            signer = environment.signer()
        except UsageError as error:
            self._notes.append(f"the result was not stored: {error.message}")
            return
        checks = WalCheckCatalog(environment.store, environment.keys)
        for cluster, known in read:
            if cluster.answers:
                check = cluster.record(
                    environment.keys, self._began_at, known, is_complete=is_complete, is_key_right=self._is_key_right
                )
                checks.write(check, signer)
                self._records.append(check.id)


def _append(cluster: ClusterCheck, reader: PieceReader, piece: WalPiece) -> None:
    cluster.answers.append(reader.check(piece))


def _extend(cluster: ClusterCheck, reader: BaseReader, base: BaseBackupManifest) -> None:
    cluster.answers.extend(reader.check(base))

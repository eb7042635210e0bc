"""What is missing between the base backups and the newest WAL, looked for when all else has been read."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from holdfast.catalog import WalPiece
from holdfast.catalog.windows import Gap, read_coverage
from holdfast.crypto.age import Identity
from holdfast.environment import Environment
from holdfast.values.keys import EnvironmentKeys
from holdfast.verify.wal_cluster import ClusterCheck
from holdfast.verify.wal_report import WalFault


@dataclass(frozen=True, slots=True)
class Continuity:
    """What is missing, and what is stored without serving any recovery."""

    faults: tuple[WalFault, ...]
    notes: tuple[str, ...]


def continuity(
    environment: Environment,
    identities: Sequence[Identity] | None,
    listed: Sequence[WalPiece],
    clusters: Sequence[ClusterCheck],
) -> Continuity:
    """Look anew: streamers and expire may have worked beside the check that began with ``listed``."""
    coverage = read_coverage(
        environment.wal_catalog,
        environment.base_catalog,
        environment.verifier(),
        identities,
        believe_checks=False,
    )
    faults = [WalFault(None, text) for text in coverage.faults]
    if not coverage.base_backups and environment.policy.database.pitr == "streaming":
        # Also of a store that somebody has emptied, in which nothing is left that could be damaged.
        faults.append(WalFault(None, "there is no base backup that could be used, so nothing can be recovered"))
    faults += [_gap(environment.keys, gap) for gap in coverage.gaps]
    named = {fault.key for fault in faults}
    halves = [fault for fault in _halves(environment, listed, clusters) if fault.key not in named]
    return Continuity((*faults, *halves), tuple(coverage.notes))


def _gap(keys: EnvironmentKeys, gap: Gap) -> WalFault:
    missing = f"WAL from {gap.start_lsn} to {gap.end_lsn} is missing"
    first = keys.wal_piece(gap.system_identifier, gap.timeline, gap.first)
    if gap.first == gap.last:
        return WalFault(first, missing)
    return WalFault(first, f"{missing}, all up to {gap.last}")


def _halves(
    environment: Environment, listed: Sequence[WalPiece], clusters: Sequence[ClusterCheck]
) -> Iterator[WalFault]:
    """Records without their object and objects without their record, that were so before the check and after."""
    catalog = environment.wal_catalog
    before = {catalog.key(piece) for piece in listed if not piece.is_stored}
    after = catalog.pieces() if before else []
    for cluster in clusters:
        own = [piece for piece in after if piece.system_identifier == cluster.wal.system_identifier]
        for piece in cluster.halves(own):
            key = catalog.key(piece)
            if key in before and piece.is_recorded:
                yield WalFault(key, "it is missing, though its record is there")
            elif key in before:
                yield WalFault(catalog.record_key(piece), f"it is missing, though {piece.name} itself is there")

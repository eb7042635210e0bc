"""The places of a store where points lie: restore points, base backups, media snapshots; each told in one shape."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

from holdfast.catalog.catalog import Entry
from holdfast.crypto.signing import Verifier
from holdfast.errors import IntegrityError
from holdfast.policy.model import DUMP_TIERS
from holdfast.values import keys
from holdfast.values.ids import RestorePointId
from holdfast.watch.reading.folders import look_into_folders
from holdfast.watch.reading.round import Reading

BASE_TIER = "base_backup"
_BESIDE = (keys.MANIFEST, keys.SIGNATURE, keys.HOLD)
# A manifest of ten thousand tables takes two; what a stranger put there must not fill the memory.
_LARGEST_BYTES = 64 << 20
_BESIDE_BEGIN = ("restore-check-", "draft-")


@dataclass(frozen=True, slots=True)
class Told:
    """What the signed manifest of a point tells; ``opened_by`` is the key of an object that an identity must open.

    ``artifact_sizes``: stored bytes of what lies beside the manifest. ``overdue``: variables that waited for rotation.
    """

    started_at: datetime
    finished_at: datetime
    bytes: int
    artifact_sizes: Mapping[str, int]
    opened_by: str | None
    rows: int | None = None
    tables: int | None = None
    label: str | None = None
    is_decrypted: bool = False
    overdue: tuple[str, ...] = ()
    media_snapshot: str | None = None


class Place(Protocol):
    """Where points of some tiers lie; ``has_checks``: whether restore checks leave their records there.

    ``tested`` are the ids of points whose restore check has left evidence.
    """

    title: str
    tiers: Collection[str]
    has_checks: bool
    tested: Collection[str]

    def ids(self) -> list[RestorePointId]:
        """All that were ever opened and are not gone, by one listing."""
        ...

    def look(
        self, wanted: Collection[RestorePointId], welcome: Collection[RestorePointId]
    ) -> dict[RestorePointId, Entry]:
        """What stands of them, of those that are ``welcome`` only where it costs no request."""
        ...

    def told(self, id: RestorePointId, verifier: Verifier) -> Told:
        """What its manifest tells, its signature checked; raises as the catalogs do."""
        ...

    def stored_bytes(self, entry: Entry) -> int | None:
        """The bytes of its artifacts as they stand; None where that cannot be told of them alone."""
        ...


def demand_small(entry: Entry) -> None:
    """Raise IntegrityError where its manifest is larger than any that holdfast writes."""
    stored = entry.objects[keys.MANIFEST]
    if stored.size_bytes > _LARGEST_BYTES:
        raise IntegrityError(f"{stored.key}: {stored.size_bytes} bytes, no manifest is")


@dataclass(slots=True)
class _Folders:
    """A folder for each point."""

    reading: Reading
    title: str
    prefix: str
    tiers: Collection[str]
    has_checks: bool
    tested: Collection[str] = ()
    names: list[str] = field(default_factory=list)

    def ids(self) -> list[RestorePointId]:
        self.names = self.reading.environment.store.folders(self.prefix)
        found = map(RestorePointId.recognised, self.names)
        return [id for id in found if id is not None and id.tier in self.tiers]

    def look(
        self, wanted: Collection[RestorePointId], welcome: Collection[RestorePointId]
    ) -> dict[RestorePointId, Entry]:
        return look_into_folders(self.reading, self.prefix, self.names, wanted, welcome)

    def stored_bytes(self, entry: Entry) -> int | None:
        return sum(
            stored.size_bytes
            for name, stored in entry.objects.items()
            if name not in _BESIDE and not name.startswith(_BESIDE_BEGIN)
        )


class RestorePoints(_Folders):
    """The restore points."""

    def __init__(self, reading: Reading, tested: Collection[str]) -> None:
        prefix = reading.environment.keys.restore_points
        super().__init__(reading, "restore points", prefix, DUMP_TIERS, has_checks=True, tested=tested)

    def told(self, id: RestorePointId, verifier: Verifier) -> Told:
        """What its manifest tells."""
        environment = self.reading.environment
        manifest = environment.catalog.manifest(id, verifier)
        largest = max(manifest.artifacts, key=lambda artifact: artifact.bytes, default=None)
        tables = manifest.database.source.tables
        return Told(
            started_at=manifest.database.started_at,
            finished_at=manifest.database.finished_at,
            bytes=manifest.stored_bytes,
            artifact_sizes=manifest.artifact_sizes,
            opened_by=None if largest is None else environment.keys.artifact(id, largest.name),
            rows=manifest.database.source.rows,
            tables=len(tables),
            label=manifest.label,
            is_decrypted=manifest.verification.decrypted,
            overdue=manifest.inventory.drift.overdue if manifest.inventory is not None else (),
            media_snapshot=manifest.media.snapshot if manifest.media is not None else None,
        )


class BaseBackups(_Folders):
    """The base backups."""

    def __init__(self, reading: Reading) -> None:
        super().__init__(reading, "base backups", reading.environment.keys.base_backups, (BASE_TIER,), has_checks=False)

    def told(self, id: RestorePointId, verifier: Verifier) -> Told:
        """What its manifest tells."""
        environment = self.reading.environment
        manifest = environment.base_catalog.manifest(id, verifier)
        largest = max(manifest.artifacts, key=lambda artifact: artifact.bytes, default=None)
        return Told(
            started_at=manifest.started_at,
            finished_at=manifest.finished_at,
            bytes=manifest.stored_bytes,
            artifact_sizes=manifest.artifact_sizes,
            opened_by=None if largest is None else environment.keys.base_backup(id, largest.name),
            label=manifest.kind,
        )

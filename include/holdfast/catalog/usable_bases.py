"""Which base backups can be used: trusted, whole as far as a listing tells, and with all that they build on."""

from __future__ import annotations

from collections.abc import Collection

from holdfast.catalog.base_backups import BaseBackupCatalog
from holdfast.catalog.marks import said
from holdfast.crypto.signing import Verifier
from holdfast.errors import ObjectMissing, PermanentError, StoreRefused
from holdfast.manifest.base_backup import BaseBackupManifest
from holdfast.values.ids import RestorePointId


def usable_bases(
    catalog: BaseBackupCatalog, verifier: Verifier, damaged: Collection[str] = ()
) -> tuple[list[BaseBackupManifest], list[str]]:
    """(base backups that can be used, oldest first; what is wrong with the others).

    ``damaged`` names objects that a check has found to be so.
    """
    manifests, faults = committed_bases(catalog, verifier)
    broken: set[str] = set()
    usable: list[BaseBackupManifest] = []
    known = {manifest.id for manifest, _ in manifests}
    for manifest, wrong in manifests:
        wrong += _damaged(catalog, manifest, damaged) + _chain(manifest, known, broken)
        if wrong:
            broken.add(manifest.id)
            faults.append(f"base backup {manifest.id}: {'; '.join(wrong)}")
        else:
            usable.append(manifest)
    return usable, faults


def committed_bases(
    catalog: BaseBackupCatalog, verifier: Verifier
) -> tuple[list[tuple[BaseBackupManifest, list[str]]], list[str]]:
    """(committed base backups, oldest first, each with what a listing tells of missing objects; distrusted ones)."""
    found: list[tuple[BaseBackupManifest, list[str]]] = []
    faults: list[str] = []
    for entry in catalog.entries():
        if not entry.is_committed:
            continue
        try:
            manifest = catalog.manifest(entry.id, verifier)
        except (StoreRefused, ObjectMissing) as error:
            if isinstance(error, StoreRefused):
                raise
            continue  # expire has removed it meanwhile
        except PermanentError as error:
            faults.append(f"base backup {entry.id}: {said(error)}")
            continue
        found.append((manifest, entry.missing(manifest)))
    return sorted(found, key=lambda each: each[0].age), faults


def _damaged(catalog: BaseBackupCatalog, manifest: BaseBackupManifest, damaged: Collection[str]) -> list[str]:
    id = RestorePointId.parse(manifest.id)
    names = [artifact.name for artifact in manifest.artifacts]
    return [f"{name} was found damaged" for name in names if catalog.keys.base_backup(id, name) in damaged]


def _chain(manifest: BaseBackupManifest, known: Collection[str], broken: Collection[str]) -> list[str]:
    """What is wrong with those that an incremental builds on; they are older and have been looked at."""
    gone = [f"{parent}, which it builds on, is missing" for parent in manifest.chain if parent not in known]
    return gone + [f"{parent}, which it builds on, cannot be used" for parent in manifest.chain if parent in broken]

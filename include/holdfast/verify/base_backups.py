"""Checks the stored objects of base backups: size, SHA-256, and whether they decrypt to their end."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from holdfast.catalog import BaseBackupCatalog
from holdfast.crypto import age
from holdfast.errors import DecryptError, NoIdentityMatch, ObjectMissing, StoreRefused, UsageError
from holdfast.manifest.base_backup import BaseArtifact, BaseBackupManifest
from holdfast.storage.tally import Tally
from holdfast.values.ids import RestorePointId
from holdfast.verify.wal_piece import Checked
from holdfast.verify.wal_report import WalFault


@dataclass(frozen=True, slots=True)
class BaseReader:
    """Reads base backups; ``count`` is told of stored bytes, and may raise to end it all."""

    catalog: BaseBackupCatalog
    identities: Sequence[age.Identity] | None
    count: Callable[[int], None]

    def check(self, manifest: BaseBackupManifest) -> list[Checked]:
        """Read all of one base backup; one answer for each object, named as the base backup."""
        return [self._check(manifest, artifact) for artifact in manifest.artifacts]

    def _check(self, manifest: BaseBackupManifest, artifact: BaseArtifact) -> Checked:
        key = self.catalog.keys.base_backup(RestorePointId.parse(manifest.id), artifact.name)
        tally, locked = Tally(self.count), None
        unreadable: str | None = None
        try:
            stored = tally.over(self.catalog.store.stream(key))
            try:
                if self.identities is not None:
                    deque(age.decrypt(stored, self.identities), maxlen=0)
            except NoIdentityMatch as error:
                locked = error.message
            except DecryptError as error:
                unreadable = error.message
            deque(stored, maxlen=0)  # the hash needs what decryption has left
        except ObjectMissing:
            return Checked(manifest.id, key, WalFault(key, "it is missing"), is_gone=True)
        except StoreRefused:
            raise
        except UsageError as error:  # something stands under the key that a store never writes, such as a link
            return Checked(manifest.id, key, WalFault(key, error.message))
        damage = _damage(artifact, tally)
        if damage is not None:
            return Checked(manifest.id, key, WalFault(key, damage))
        if locked is not None:
            return Checked(manifest.id, key, WalFault(key, f"not decryptable: {locked}"), is_locked=True)
        return Checked(
            manifest.id, key, None if unreadable is None else WalFault(key, f"not decryptable: {unreadable}")
        )


def _damage(artifact: BaseArtifact, tally: Tally) -> str | None:
    """How the bytes that were read differ from those that the manifest has."""
    if tally.bytes != artifact.bytes:
        return f"it has {tally.bytes} bytes instead of {artifact.bytes}"
    return None if tally.sha256 == artifact.sha256 else "its sha256 is not the one in the manifest"

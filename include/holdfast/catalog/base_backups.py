"""Lists an environment's base backups and reads their manifests."""

from __future__ import annotations

from dataclasses import dataclass

from pydantic import ValidationError

from holdfast.catalog.catalog import Entry
from holdfast.catalog.folders import list_folders, look_into
from holdfast.catalog.malformed import malformed
from holdfast.catalog.signed import read_signed, write_signed
from holdfast.crypto.signing import Signer, Verifier
from holdfast.errors import IntegrityError, ObjectMissing
from holdfast.manifest.base_backup import BaseBackupManifest
from holdfast.storage.protocol import Store
from holdfast.values import keys
from holdfast.values.ids import RestorePointId


@dataclass(frozen=True, slots=True)
class BaseBackupCatalog:
    """The base backups of one environment in one store; their ids are of the tier ``base_backup``."""

    store: Store
    keys: keys.EnvironmentKeys

    def entries(self) -> list[Entry]:
        """Every base backup and every remnant of one, oldest first, from one listing."""
        return list_folders(self.store, self.keys.base_backups)

    def entry(self, id: RestorePointId) -> Entry:
        """What lies below one base backup's prefix, which may be nothing."""
        return look_into(self.store, self.keys.base_backup(id, ""), id)

    def manifest(self, id: RestorePointId, verifier: Verifier) -> BaseBackupManifest:
        """The manifest of a base backup, its signature checked.

        Raises ObjectMissing where there is none, SignatureError, or IntegrityError where it is malformed or
        belongs to another place.
        """
        key = self.keys.base_backup(id, keys.MANIFEST)
        try:
            document = read_signed(self.store, key, self.keys.base_backup(id, keys.SIGNATURE), verifier)
        except ObjectMissing as error:
            raise ObjectMissing(
                f"base backup {self.keys.root}{id}: not found in {self.store.url}",
                hint="`holdfast pitr window` shows the base backups that exist.",
            ) from error
        try:
            manifest = BaseBackupManifest.model_validate_json(document)
        except ValidationError as error:
            raise malformed(key, error) from error
        if (manifest.app, manifest.environment, manifest.id) != (self.keys.app, self.keys.environment, str(id)):
            raise IntegrityError(
                f"{key}: it is the manifest of {manifest.app}/{manifest.environment}/{manifest.id}",
                hint="Someone copied it there: remove that folder from the store once it is clear who and why.",
            )
        return manifest

    def commit(self, manifest: BaseBackupManifest, signer: Signer) -> None:
        """Store the manifest with its signature: from then on the base backup exists."""
        at, id = self.keys.base_backup, RestorePointId.parse(manifest.id)
        write_signed(self.store, at(id, keys.MANIFEST), at(id, keys.SIGNATURE), manifest.encode(), signer)

"""Lists an environment's compliance exports and reads their manifests."""

from __future__ import annotations

from dataclasses import dataclass

from pydantic import ValidationError

from holdfast.catalog.catalog import Entry
from holdfast.catalog.folders import list_folders, look_into
from holdfast.catalog.signed import read_signed
from holdfast.crypto.signing import Verifier
from holdfast.errors import IntegrityError, ObjectMissing
from holdfast.manifest.exports import ExportManifest
from holdfast.storage.protocol import Store
from holdfast.values import keys
from holdfast.values.ids import RestorePointId


@dataclass(frozen=True, slots=True)
class ExportCatalog:
    """The exports of one environment in one store, each under the id of the restore point that it was taken with."""

    store: Store
    keys: keys.EnvironmentKeys

    def entries(self) -> list[Entry]:
        """Every export and every remnant of one, oldest first, from one listing."""
        return list_folders(self.store, self.keys.exports)

    def entry(self, id: RestorePointId) -> Entry:
        """What lies below one export's prefix, which may be nothing."""
        return look_into(self.store, self.keys.export(id, ""), id)

    def manifest(self, id: RestorePointId, verifier: Verifier) -> ExportManifest:
        """The manifest of an export, its signature checked.

        Raises ObjectMissing where there is none, SignatureError, or IntegrityError where it is malformed or
        belongs to another place.
        """
        key = self.keys.export(id, keys.MANIFEST)
        try:
            document = read_signed(self.store, key, self.keys.export(id, keys.SIGNATURE), verifier)
        except ObjectMissing as error:
            raise ObjectMissing(
                f"export {self.keys.root}{id}: not found in {self.store.url}",
                hint="`holdfast export list` shows the exports that exist.",
            ) from error
        try:
            manifest = ExportManifest.model_validate_json(document)
        except ValidationError as error:
            raise IntegrityError(f"{key}: not a manifest of this version of holdfast") from error
        if (manifest.app, manifest.environment, manifest.id) != (self.keys.app, self.keys.environment, str(id)):
            raise IntegrityError(
                f"{key}: it is the manifest of {manifest.app}/{manifest.environment}/{manifest.id}",
                hint="Someone copied it there: remove that folder from the store once it is clear who and why.",
            )
        return manifest

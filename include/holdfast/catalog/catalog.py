"""Lists an environment's restore points and reads their manifests."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from pydantic import ValidationError

from holdfast.catalog.signed import read_signed
from holdfast.crypto.signing import Verifier
from holdfast.errors import IntegrityError, ObjectMissing, PermanentError
from holdfast.manifest.model import Manifest
from holdfast.storage.protocol import Store, StoredObject
from holdfast.values import keys
from holdfast.values.ids import RestorePointId

_READERS = 16


@dataclass(frozen=True, slots=True)
class Entry:
    """All objects that lie below one restore point's prefix, by their name there."""

    id: RestorePointId
    objects: dict[str, StoredObject]

    @property
    def is_committed(self) -> bool:
        """Whether the restore point exists: it does if and only if its manifest does."""
        return keys.MANIFEST in self.objects

    @property
    def is_held(self) -> bool:
        """Whether a hold exempts it from expiry."""
        return keys.HOLD in self.objects

    def missing(self, manifest: Manifest) -> list[str]:
        """Artifacts that the manifest names but the store lacks, or has in another size; each with the reason."""
        faults = []
        for artifact in manifest.artifacts:
            stored = self.objects.get(artifact.name)
            if stored is None:
                faults.append(f"{artifact.name} is missing")
            elif stored.size_bytes != artifact.bytes:
                faults.append(f"{artifact.name} has {stored.size_bytes} bytes instead of {artifact.bytes}")
        return faults


@dataclass(frozen=True, slots=True)
class Catalog:
    """The restore points of one environment in one store."""

    store: Store
    keys: keys.EnvironmentKeys

    def entries(self) -> list[Entry]:
        """Every restore point and every remnant of one, oldest first, from one listing."""
        found: dict[RestorePointId, dict[str, StoredObject]] = {}
        for stored in self.store.list(self.keys.restore_points):
            split = self.keys.split_restore_point(stored.key)
            if split is not None:
                found.setdefault(split[0], {})[split[1]] = stored
        return [Entry(id, found[id]) for id in sorted(found)]

    def entry(self, id: RestorePointId) -> Entry:
        """What lies below one restore point's prefix, which may be nothing."""
        prefix = self.keys.restore_point(id)
        return Entry(id, {stored.key[len(prefix) :]: stored for stored in self.store.list(prefix)})

    def manifest(self, id: RestorePointId, verifier: Verifier | None) -> Manifest:
        """The manifest of a committed restore point; with a verifier, only when its signature fits.

        Raises ObjectMissing where there is none, SignatureError, or IntegrityError where its content
        is malformed or belongs to another place.
        """
        key = self.keys.manifest(id)
        try:
            if verifier is None:
                document = self.store.get(key)
            else:
                document = read_signed(self.store, key, self.keys.signature(id), verifier)
        except ObjectMissing as error:
            raise ObjectMissing(
                f"restore point {self.keys.root}{id}: not found in {self.store.url}",
                hint="`holdfast list` shows the restore points that exist.",
            ) from error
        return self._parse(id, document)

    def manifests(self, ids: Iterable[RestorePointId]) -> Iterator[tuple[RestorePointId, Manifest | PermanentError]]:
        """Manifests in the order of ``ids``, read side by side, signatures unchecked; a broken one as its error."""

        def read(id: RestorePointId) -> tuple[RestorePointId, Manifest | PermanentError]:
            try:
                return id, self.manifest(id, None)
            except PermanentError as error:
                return id, error

        with ThreadPoolExecutor(_READERS) as readers:
            yield from readers.map(read, ids)

    def _parse(self, id: RestorePointId, document: bytes) -> Manifest:
        name = f"manifest {self.keys.root}{id}"
        try:
            manifest = Manifest.model_validate_json(document)
        except ValidationError as error:
            fault = error.errors(include_url=False, include_input=False)[0]
            where = ".".join(map(str, fault["loc"]))
            raise IntegrityError(f"{name}: malformed{f' at {where}' if where else ''}: {fault['msg']}") from error
        if (manifest.app, manifest.environment, manifest.id) != (self.keys.app, self.keys.environment, str(id)):
            raise IntegrityError(f"{name}: it is the manifest of {manifest.app}/{manifest.environment}/{manifest.id}")
        return manifest

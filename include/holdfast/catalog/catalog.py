"""Lists an environment's restore points and reads their manifests."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import batched
from typing import Protocol

from pydantic import ValidationError

from holdfast.catalog.malformed import malformed
from holdfast.catalog.signed import read_signed
from holdfast.crypto.signing import Verifier
from holdfast.errors import IntegrityError, ObjectMissing, PermanentError
from holdfast.manifest.head import Head, read_head
from holdfast.manifest.model import Manifest
from holdfast.storage.protocol import Store, StoredObject
from holdfast.values import keys
from holdfast.values.ids import RestorePointId

_READERS = 16
_BATCH = 16


class Sized(Protocol):
    """What names objects and their sizes: a manifest, or the head of one."""

    @property
    def artifact_sizes(self) -> Mapping[str, int]:
        """Stored bytes of each object by name."""
        ...


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

    def missing(self, manifest: Sized) -> list[str]:
        """Artifacts that the manifest names but the store lacks, or has in another size; each with the reason."""
        faults = []
        for name, size_bytes in manifest.artifact_sizes.items():
            stored = self.objects.get(name)
            if stored is None:
                faults.append(f"{name} is missing")
            elif stored.size_bytes != size_bytes:
                faults.append(f"{name} has {stored.size_bytes} bytes instead of {size_bytes}")
        return faults


@dataclass(frozen=True, slots=True)
class Catalog:
    """The restore points of one environment in one store."""

    store: Store
    keys: keys.EnvironmentKeys

    def entries(self) -> list[Entry]:
        """Every restore point and every remnant of one, oldest first, from one listing."""
        folders: dict[str, dict[str, StoredObject]] = {}
        for stored in self.store.list(self.keys.restore_points):
            split = self.keys.split_restore_point(stored.key)
            if split is not None:
                folders.setdefault(split[0], {})[split[1]] = stored
        found = ((RestorePointId.recognised(folder), objects) for folder, objects in folders.items())
        entries = (Entry(id, objects) for id, objects in found if id is not None)
        return sorted(entries, key=lambda entry: entry.id)

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

    def heads(self, ids: Iterable[RestorePointId]) -> Iterator[tuple[RestorePointId, Head | PermanentError]]:
        """The heads of manifests in the order of ``ids``, signatures unchecked; a broken one as its error.

        They are read side by side, a batch to a thread: bucket round trips overlap, and thousands of small
        files do not spend their time on handing over.
        """

        def read(batch: tuple[RestorePointId, ...]) -> list[tuple[RestorePointId, Head | PermanentError]]:
            return [(id, self._head(id)) for id in batch]

        with ThreadPoolExecutor(_READERS) as readers:
            for batch in readers.map(read, batched(ids, _BATCH)):
                yield from batch

    def _head(self, id: RestorePointId) -> Head | PermanentError:
        try:
            head = read_head(self.store.get(self.keys.manifest(id)))
            self._demand_place(id, head.app, head.environment, head.id)
        except ValidationError as error:
            return malformed(f"manifest {self.keys.root}{id}", error)
        except PermanentError as error:
            return error
        return head

    def _parse(self, id: RestorePointId, document: bytes) -> Manifest:
        try:
            manifest = Manifest.model_validate_json(document)
        except ValidationError as error:
            raise malformed(f"manifest {self.keys.root}{id}", error) from error
        self._demand_place(id, manifest.app, manifest.environment, manifest.id)
        return manifest

    def _demand_place(self, id: RestorePointId, app: str, environment: str, said: str) -> None:
        """A sound manifest that was copied from elsewhere is not this restore point's."""
        if (app, environment, said) != (self.keys.app, self.keys.environment, str(id)):
            raise IntegrityError(
                f"manifest {self.keys.root}{id}: it is the manifest of {app}/{environment}/{said}",
                hint="Someone copied it there: remove that folder from the store once it is clear who and why.",
            )

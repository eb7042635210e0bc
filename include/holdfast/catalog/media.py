"""The media snapshots of an environment, read from its store alone."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime, timedelta

from pydantic import ValidationError

from holdfast.catalog.malformed import malformed
from holdfast.catalog.signed import read_signed
from holdfast.crypto import age
from holdfast.crypto.signing import Verifier
from holdfast.errors import IntegrityError, ObjectMissing, PermanentError
from holdfast.media.listing import ListingSearch
from holdfast.media.records import MediaCheck, SnapshotManifest
from holdfast.media.snapshot_listing import open_listing
from holdfast.storage.protocol import Store, StoredObject
from holdfast.values.ids import RestorePointId
from holdfast.values.keys import SHARD_ENDING, EnvironmentKeys

_READERS = 16
_CLOCKS_DIFFER = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class MediaCatalog:
    """The media snapshots, shards and drafts of one environment in one store."""

    store: Store
    keys: EnvironmentKeys

    def ids(self) -> list[RestorePointId]:
        """Every committed snapshot, oldest first: it exists if and only if its manifest does."""
        return self._documents(self.keys.media_snapshots)

    def newest_first(self, now: datetime) -> list[RestorePointId]:
        """Every committed snapshot, newest first; those of a clock that was ahead come last.

        Otherwise one wrong clock would have what it took be the newest for years.
        """
        return sorted(self.ids(), key=lambda each: (each.opened_at <= now + _CLOCKS_DIFFER, each), reverse=True)

    def next_moment(self, now: datetime) -> datetime:
        """``now``, or later where an id of that second would not sort behind the newest one."""
        newest = next(iter(self.newest_first(now)), None)
        is_close = newest is not None and now - timedelta(seconds=1) < newest.opened_at <= now + _CLOCKS_DIFFER
        return newest.opened_at + timedelta(seconds=1) if newest is not None and is_close else now

    def manifest(self, id: RestorePointId, verifier: Verifier) -> SnapshotManifest:
        """A committed snapshot's manifest, its signature checked.

        Raises ObjectMissing where there is none, SignatureError, or IntegrityError where its content is malformed
        or belongs to another place.
        """
        try:
            key = self.keys.media_manifest(id)
            document = read_signed(self.store, key, self.keys.media_signature(id), verifier)
        except ObjectMissing as error:
            raise ObjectMissing(
                f"media snapshot {self.keys.root}{id}: not found in {self.store.url}",
                hint="`holdfast media list` shows the media snapshots that exist.",
            ) from error
        return self._parse(id, document)

    def manifests(
        self, ids: Iterable[RestorePointId], verifier: Verifier
    ) -> Iterator[tuple[RestorePointId, SnapshotManifest | PermanentError]]:
        """The manifests in the order of ``ids``, read side by side; a broken one as its error."""

        def read(id: RestorePointId) -> tuple[RestorePointId, SnapshotManifest | PermanentError]:
            try:
                return id, self.manifest(id, verifier)
            except PermanentError as error:
                return id, error

        with ThreadPoolExecutor(_READERS) as readers:
            yield from readers.map(read, ids)

    def listing(
        self, id: RestorePointId, verifier: Verifier, identities: Sequence[age.Identity]
    ) -> tuple[SnapshotManifest, ListingSearch]:
        """A snapshot's manifest, and its listing for searching; raises as ``manifest``, and as ``open_listing``."""
        manifest = self.manifest(id, verifier)
        return manifest, open_listing(self.store, self.keys.listing(id), manifest.listing, identities)

    def shards(self) -> dict[str, StoredObject]:
        """Every stored shard by its id, whether a snapshot names it or not."""
        prefix = self.keys.shards
        return {
            stored.key[len(prefix) :].removesuffix(SHARD_ENDING): stored
            for stored in self.store.list(prefix)
            if stored.key.endswith(SHARD_ENDING)
        }

    def drafts(self) -> dict[RestorePointId, dict[str, StoredObject]]:
        """What running and dead syncs left, by snapshot id and by name below it."""
        found: dict[RestorePointId, dict[str, StoredObject]] = {}
        for stored in self.store.list(self.keys.media_drafts):
            folder, _, name = stored.key[len(self.keys.media_drafts) :].partition("/")
            id = RestorePointId.recognised(folder)
            if id is not None:
                found.setdefault(id, {})[name] = stored
        return found

    def check_ids(self) -> list[RestorePointId]:
        """Every stored result of a check, oldest first."""
        return self._documents(self.keys.media_checks)

    def check(self, id: RestorePointId, verifier: Verifier) -> MediaCheck:
        """The result of one check, its signature checked; raises as ``manifest``."""
        key = self.keys.media_check(id)
        document = read_signed(self.store, key, self.keys.media_check(id, ".sig"), verifier)
        try:
            check = MediaCheck.model_validate_json(document)
        except ValidationError as error:
            raise malformed(key, error) from error
        if (check.app, check.environment, check.id) != (self.keys.app, self.keys.environment, str(id)):
            raise IntegrityError(f"{key}: it is the result of {check.app}/{check.environment}/{check.id}")
        return check

    def checks(self, verifier: Verifier, now: datetime) -> list[MediaCheck]:
        """The results of checks, oldest first; one that is broken or not signed by us counts as not there.

        So does one of the future: what a clock that was ahead has called sound would stay so for years.
        """

        def read(id: RestorePointId) -> MediaCheck | None:
            try:
                return self.check(id, verifier)
            except PermanentError:
                return None

        with ThreadPoolExecutor(_READERS) as readers:
            read_checks = [check for check in readers.map(read, self.check_ids()) if check is not None]
        found = [check for check in read_checks if check.finished_at <= now + _CLOCKS_DIFFER]
        return sorted(found, key=lambda check: check.finished_at)

    def _documents(self, prefix: str) -> list[RestorePointId]:
        """The ids of the JSON documents that lie below ``prefix``, oldest first."""
        names = (stored.key[len(prefix) :] for stored in self.store.list(prefix))
        found = (RestorePointId.recognised(name.removesuffix(".json")) for name in names if name.endswith(".json"))
        return sorted(id for id in found if id is not None)

    def _parse(self, id: RestorePointId, document: bytes) -> SnapshotManifest:
        title = f"media snapshot {self.keys.root}{id}"
        try:
            manifest = SnapshotManifest.model_validate_json(document)
        except ValidationError as error:
            raise malformed(title, error) from error
        if (manifest.app, manifest.environment, manifest.id) != (self.keys.app, self.keys.environment, str(id)):
            raise IntegrityError(
                f"{title}: it is the manifest of {manifest.app}/{manifest.environment}/{manifest.id}",
                hint="Someone copied it there: remove it from the store once it is clear who and why.",
            )
        return manifest

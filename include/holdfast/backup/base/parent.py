"""Chooses the base backup that an incremental one builds on, and fetches the list of its files."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from holdfast.backup.base.source import BaseSource
from holdfast.crypto import age
from holdfast.environment import Environment
from holdfast.errors import IntegrityError, PermanentError
from holdfast.manifest.base_backup import BaseBackupManifest
from holdfast.postgres.outer_zstd import decompressed
from holdfast.storage.tally import Tally
from holdfast.values import keys
from holdfast.values.duration import Duration
from holdfast.values.ids import RestorePointId


@dataclass(frozen=True, slots=True)
class Parent:
    """A committed base backup, and the file with PostgreSQL's list of what is in it."""

    manifest: BaseBackupManifest
    file: Path

    @property
    def chain(self) -> tuple[str, ...]:
        """What an incremental one on top of it needs, the full one first."""
        return (*self.manifest.chain, self.manifest.id)


@contextmanager
def find_parent(
    environment: Environment, known: list[BaseBackupManifest], source: BaseSource, *, full: bool
) -> Iterator[tuple[Parent | None, tuple[str, ...]]]:
    """The newest fitting parent of ``known``, None for a full base backup; and what is to be said of that choice.

    Its list of files lies in a private folder for as long as the context lasts.
    """
    if full or not source.takes_incrementals:
        yield None, ()
        return
    chosen = choose(known, source, environment.policy.wal.full_every)
    if chosen is None:
        yield None, ()
        return
    with tempfile.TemporaryDirectory(prefix="holdfast-base-") as folder:
        file = Path(folder) / "backup_manifest"
        try:
            _fetch(environment, chosen, file)
        except PermanentError as error:
            yield None, (f"a full one was taken, for none can be built on {chosen.id}: {error.message}",)
            return
        yield Parent(chosen, file), ()


def committed(environment: Environment) -> list[BaseBackupManifest]:
    """The manifests of all base backups that exist and can be trusted, oldest first."""
    catalog, verifier = environment.base_catalog, environment.verifier()
    found = []
    for entry in catalog.entries():
        if not entry.is_committed:
            continue
        try:
            manifest = catalog.manifest(entry.id, verifier)
        except PermanentError:
            continue  # the watch and `wal check` speak of it; nothing is built on it
        if not entry.missing(manifest):
            found.append(manifest)
    return sorted(found, key=lambda each: each.age)


def choose(known: list[BaseBackupManifest], source: BaseSource, full_every: Duration) -> BaseBackupManifest | None:
    """The newest of ``known`` whose whole chain stands and whose full one is younger than ``full_every``."""
    cluster = source.cluster
    by_id = {manifest.id: manifest for manifest in known}
    for manifest in reversed(known):
        full = by_id.get((*manifest.chain, manifest.id)[0])
        if (manifest.system_identifier, manifest.timeline) != (cluster.system_identifier, cluster.timeline):
            continue
        if full is None or not by_id.keys() >= set(manifest.chain) or full.started_at <= full_every.before(source.at):
            continue
        if manifest.has_checksums == source.has_checksums:
            return manifest
    return None


def _fetch(environment: Environment, manifest: BaseBackupManifest, file: Path) -> None:
    """Write PostgreSQL's list of files; raises IntegrityError where it is not what the signed manifest says."""
    artifact = next((each for each in manifest.artifacts if each.name == keys.BACKUP_MANIFEST), None)
    if artifact is None:
        raise IntegrityError(f"base backup {environment.title}/{manifest.id}: it names no {keys.BACKUP_MANIFEST}")
    key = environment.keys.base_backup(RestorePointId.parse(manifest.id), artifact.name)
    tally = Tally()
    with file.open("xb") as out:
        file.chmod(0o600)
        for piece in decompressed(
            age.decrypt(tally.over(environment.store.stream(key)), environment.listing_identities())
        ):
            out.write(piece)
    if (tally.bytes, tally.sha256) != (artifact.bytes, artifact.sha256):
        raise IntegrityError(f"{key}: sha256 mismatch")

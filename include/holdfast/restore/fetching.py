"""Brings stored artifacts back as plaintext, proving their bytes on the way."""

from __future__ import annotations

from collections.abc import Iterator

from holdfast.crypto import age
from holdfast.environment import Environment
from holdfast.errors import DecryptError, IntegrityError
from holdfast.manifest.model import Artifact, Manifest
from holdfast.postgres.dump import archive_pieces
from holdfast.progress import Progress
from holdfast.storage.tally import Tally
from holdfast.values.ids import RestorePointId


def dump_artifact(manifest: Manifest) -> Artifact:
    """The artifact that holds the database; raises IntegrityError where the manifest names none."""
    for artifact in manifest.artifacts:
        if artifact.content == "database":
            return artifact
    raise IntegrityError(f"manifest {manifest.app}/{manifest.environment}/{manifest.id}: it names no database dump")


def archive_of(environment: Environment, manifest: Manifest, progress: Progress) -> Iterator[bytes]:
    """The dump as an archive that pg_restore reads; raises as ``plaintext_of``."""
    artifact = dump_artifact(manifest)
    return archive_pieces(artifact.format, plaintext_of(environment, manifest, artifact, progress))


def plaintext_of(
    environment: Environment, manifest: Manifest, artifact: Artifact, progress: Progress
) -> Iterator[bytes]:
    """An artifact's plaintext in pieces; raises IntegrityError before its end where size or SHA-256 differ.

    Anyone can encrypt to a public recipient, so that a dump decrypts proves nothing of where it comes
    from: only the hash in the signed manifest does.
    """
    id = RestorePointId.parse(manifest.id)
    tally = Tally(progress.advance)
    stored = tally.over(environment.store.stream(environment.keys.artifact(id, artifact.name)))
    name = f"restore point {environment.title}/{manifest.id}"
    try:
        yield from age.decrypt(stored, environment.demand_identities())
    except DecryptError as error:
        hint = error.hint or "Restore another restore point; `holdfast verify` tells damage from a wrong identity."
        raise type(error)(f"{name}: {artifact.name}: {error.message}", hint=hint) from error
    if (tally.bytes, tally.sha256) != (artifact.bytes, artifact.sha256):
        raise IntegrityError(
            f"{name}: sha256 mismatch in {artifact.name}",
            hint="It was damaged or replaced in the store: restore another restore point.",
        )

"""Fetches one artifact of a restore point as plaintext, such as the roles, or the dump for tools of one's own."""

from __future__ import annotations

from collections.abc import Iterator

from holdfast.environment import Environment
from holdfast.errors import UsageError
from holdfast.progress import Progress, Silent
from holdfast.restore.fetching import plaintext_of
from holdfast.values.ids import RestorePointId

_SILENT = Silent()


def fetch_artifact(
    environment: Environment, id: RestorePointId, name: str, *, progress: Progress = _SILENT
) -> Iterator[bytes]:
    """The plaintext of artifact ``name`` (with or without ``.age``), whose hash is only proven at the normal end.

    Raises UsageError for an artifact that the manifest does not name, SignatureError, DecryptError or
    IntegrityError where it cannot be trusted.
    """
    manifest = environment.catalog.manifest(id, environment.verifier())
    known = {artifact.name: artifact for artifact in manifest.artifacts}
    artifact = known.get(name) or known.get(f"{name}.age")
    if artifact is None:
        raise UsageError(
            f"artifact {name!r}: restore point {environment.title}/{id} has none of that name",
            hint=f"It has: {', '.join(known)}.",
        )
    environment.demand_identities()
    progress.begin(f"fetch {artifact.name}", artifact.bytes)
    return plaintext_of(environment, manifest, artifact, progress)

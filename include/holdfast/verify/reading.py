"""Reads artifacts back: size, SHA-256, decryption to the very end, and the dump's table of contents."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from holdfast.crypto import age
from holdfast.environment import Environment
from holdfast.errors import DecryptError, IntegrityError, ObjectMissing
from holdfast.manifest.model import Artifact, DatabaseBackup
from holdfast.postgres.archive_list import Listing, differences, list_archive
from holdfast.postgres.binaries import reader_for
from holdfast.postgres.dump import archive_pieces
from holdfast.progress import Progress
from holdfast.storage.tally import Tally
from holdfast.values.ids import RestorePointId


@dataclass(frozen=True, slots=True)
class ReadBack:
    """What reading back showed; ``faults`` is empty when all is as recorded.

    Without an identity nothing was decrypted: sizes and hashes alone were compared.
    """

    faults: tuple[str, ...]
    bytes: int
    is_decrypted: bool
    listed_tables: int | None
    archive_format: str | None


def read_back(
    environment: Environment,
    id: RestorePointId,
    artifacts: Sequence[Artifact],
    database: DatabaseBackup,
    progress: Progress,
) -> ReadBack:
    """Read every artifact of a restore point to its end; faults of all artifacts are gathered, none hides another."""
    identities = environment.identities()
    faults: list[str] = []
    listing: Listing | None = None
    for artifact in artifacts:
        progress.begin(f"verify {artifact.name}", artifact.bytes)
        tally = Tally(progress.advance)
        try:
            pieces = tally.over(environment.store.stream(environment.keys.artifact(id, artifact.name)))
            found = _read_one(pieces, artifact, database, identities)
            if found is not None:
                listing = found
                faults += [f"{artifact.name}: {line}" for line in differences(found, database.source.tables)]
            faults += _damage(artifact, tally)
        except ObjectMissing:
            faults.append(f"{artifact.name} is missing in {environment.store.url}")
        except DecryptError as error:
            # Damaged bytes are the cause wherever they are found; only sound ones speak of a wrong key.
            faults += _damage(artifact, tally) or [f"{artifact.name} is not decryptable: {error.message}"]
        except IntegrityError as error:
            faults += _damage(artifact, tally) or [f"{artifact.name}: {error.message}"]
        progress.end()
    return ReadBack(
        faults=tuple(faults),
        bytes=sum(artifact.bytes for artifact in artifacts),
        is_decrypted=identities is not None,
        listed_tables=len(listing.tables) if listing else None,
        archive_format=listing.format_version if listing else None,
    )


def _read_one(
    pieces: Iterable[bytes],
    artifact: Artifact,
    database: DatabaseBackup,
    identities: Sequence[age.Identity] | None,
) -> Listing | None:
    """Consume the artifact to its end, also when its content turns out to be bad on the way."""
    iterator = iter(pieces)
    try:
        if identities is None:
            return None
        plaintext = age.decrypt(iterator, identities)
        if artifact.content != "database":
            deque(plaintext, maxlen=0)
            return None
        reader = reader_for(database.client_version)
        return list_archive(reader, archive_pieces(artifact.format, plaintext))
    finally:
        deque(iterator, maxlen=0)


def _damage(artifact: Artifact, tally: Tally) -> list[str]:
    if tally.bytes != artifact.bytes:
        return [f"{artifact.name} has {tally.bytes} bytes instead of {artifact.bytes}"]
    if tally.sha256 != artifact.sha256:
        return [f"sha256 mismatch in {artifact.name}"]
    return []

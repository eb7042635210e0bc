"""Reads artifacts back: size, SHA-256, decryption to the very end, and the dump's table of contents."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from holdfast.crypto import age
from holdfast.environment import Environment
from holdfast.errors import DecryptError, IntegrityError, ObjectMissing, StoreRefused, UsageError
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

    Without an identity nothing was decrypted: sizes and hashes alone were compared. ``is_damaged``: the
    stored bytes are not those that were written, as opposed to a wrong key or a wrong list.
    """

    faults: tuple[str, ...]
    is_damaged: bool
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
    examined = [_examine(environment, id, artifact, database, identities, progress) for artifact in artifacts]
    listing = next((one.listing for one in examined if one.listing is not None), None)
    return ReadBack(
        faults=tuple(fault for one in examined for fault in one.faults),
        is_damaged=any(one.is_damaged for one in examined),
        bytes=sum(one.bytes for one in examined),
        is_decrypted=all(one.is_decrypted for one in examined),
        listed_tables=len(listing.tables) if listing else None,
        archive_format=listing.format_version if listing else None,
    )


@dataclass(frozen=True, slots=True)
class _Examined:
    """What one artifact turned out to be."""

    faults: tuple[str, ...] = ()
    is_damaged: bool = False
    bytes: int = 0
    is_decrypted: bool = False
    listing: Listing | None = None


def _examine(
    environment: Environment,
    id: RestorePointId,
    artifact: Artifact,
    database: DatabaseBackup,
    identities: Sequence[age.Identity] | None,
    progress: Progress,
) -> _Examined:
    """Damaged bytes are the cause wherever they are found; only sound ones speak of a wrong key or a wrong list."""
    progress.begin(f"verify {artifact.name}", artifact.bytes)
    tally = Tally(progress.advance)
    listing: Listing | None = None
    faults: tuple[str, ...] = ()
    is_decrypted = False
    try:
        pieces = tally.over(environment.store.stream(environment.keys.artifact(id, artifact.name)))
        listing = _read_one(pieces, artifact, database, identities)
        is_decrypted = identities is not None
        if listing is not None:
            source = database.source
            found = differences(listing, source.tables, encoding=source.encoding)
            faults = tuple(f"{artifact.name}: {line}" for line in found)
    except ObjectMissing:
        return _Examined((f"{artifact.name} is missing in {environment.store.url}",), is_damaged=True)
    except StoreRefused:
        raise
    except UsageError as error:  # something stands under the key that a store never writes, such as a link
        return _Examined((error.message,), is_damaged=True)
    except DecryptError as error:
        faults = (f"{artifact.name} is not decryptable: {error.message}",)
    except IntegrityError as error:
        faults = (f"{artifact.name}: {error.message}",)
    damage = _damage(artifact, tally)
    progress.end()
    if damage:
        return _Examined((damage,), is_damaged=True, bytes=tally.bytes)
    return _Examined(faults, bytes=tally.bytes, is_decrypted=is_decrypted, listing=listing)


def _read_one(
    pieces: Iterator[bytes],
    artifact: Artifact,
    database: DatabaseBackup,
    identities: Sequence[age.Identity] | None,
) -> Listing | None:
    """Consume the artifact to its end, also when its content turns out to be bad on the way: the hash needs it."""
    listing: Listing | None = None
    try:
        if identities is not None:
            plaintext = age.decrypt(pieces, identities)
            if artifact.content == "database":
                archive = archive_pieces(artifact.format, plaintext)
                listing = list_archive(reader_for(database.client_version), archive)
            else:
                deque(plaintext, maxlen=0)
    except (DecryptError, IntegrityError):
        deque(pieces, maxlen=0)
        raise
    deque(pieces, maxlen=0)
    return listing


def _damage(artifact: Artifact, tally: Tally) -> str | None:
    """How the bytes that were read differ from those that were recorded."""
    if tally.bytes != artifact.bytes:
        return f"{artifact.name} has {tally.bytes} bytes instead of {artifact.bytes}"
    if tally.sha256 != artifact.sha256:
        return f"sha256 mismatch in {artifact.name}"
    return None

"""Compares the media files that the database refers to with those that the snapshot holds."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator

import zstandard

from holdfast.backup.drafts import DumpDraft
from holdfast.crypto import age
from holdfast.environment import Environment
from holdfast.errors import IntegrityError
from holdfast.manifest.model import Artifact, MediaReferences
from holdfast.media.entries import parse
from holdfast.media.listing import read_blocks
from holdfast.media.records import SnapshotManifest
from holdfast.storage.tally import Tally
from holdfast.values.ids import RestorePointId

_RECORDED = 1000
_SHOWN = 10


def compare(environment: Environment, dumped: DumpDraft, snapshot: SnapshotManifest) -> MediaReferences | None:
    """References without a file, and files without a reference; None where the policy asks for no such comparison.

    Raises IntegrityError where a file was lost during the walk that the database refers to.
    """
    artifact = next((artifact for artifact in dumped.artifacts if artifact.content == "references"), None)
    if artifact is None:
        return None
    id = RestorePointId.parse(dumped.id)
    wanted = set(_references(environment, id, artifact))
    total = len(wanted)
    unreferenced: list[str] = []
    unreferenced_count = 0
    lost: list[str] = []
    for path, kind in _paths(environment, snapshot):
        if kind == "vanished" and path in wanted:
            lost.append(path.decode(errors="backslashreplace"))
        elif kind in ("file", "link"):
            if path in wanted:
                wanted.discard(path)
            elif kind == "file":
                unreferenced_count += 1
                if len(unreferenced) < _RECORDED:
                    unreferenced.append(path.decode(errors="backslashreplace"))
    if lost:
        raise IntegrityError(
            f"media snapshot {environment.title}/{snapshot.id}: {len(lost)} files that the database refers to "
            f"vanished while they were read: {', '.join(lost[:_SHOWN])}",
            hint="Start a new backup: its dump and its media snapshot may agree again.",
        )
    missing = sorted(wanted)
    return MediaReferences(
        total=total,
        missing=len(missing),
        missing_paths=tuple(path.decode(errors="backslashreplace") for path in missing[:_RECORDED]),
        unreferenced=unreferenced_count,
        unreferenced_paths=tuple(unreferenced),
    )


def _references(environment: Environment, id: RestorePointId, artifact: Artifact) -> Iterator[bytes]:
    """The paths that the dump step stored, checked against its draft."""
    tally = Tally()
    pieces = tally.over(environment.store.stream(environment.keys.artifact(id, artifact.name)))
    plaintext = age.decrypt(pieces, environment.listing_identities())
    decompressor = zstandard.ZstdDecompressor().decompressobj()
    yield from (str(json.loads(line)).encode() for line in _lines(map(decompressor.decompress, plaintext)))
    if tally.sha256 != artifact.sha256:
        raise IntegrityError(f"restore point {environment.title}/{id}: {artifact.name} is not what was stored")


def _lines(pieces: Iterable[bytes]) -> Iterator[bytes]:
    rest = b""
    for piece in pieces:
        *lines, rest = (rest + piece).split(b"\n")
        yield from lines
    if rest:
        yield rest


def _paths(environment: Environment, snapshot: SnapshotManifest) -> Iterator[tuple[bytes, str]]:
    stream = environment.store.stream(environment.keys.listing(RestorePointId.parse(snapshot.id)))
    for lines in read_blocks(age.decrypt(stream, environment.listing_identities())):
        for line in lines:
            entry = parse(line)
            yield entry.path, entry.kind

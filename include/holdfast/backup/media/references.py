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
from holdfast.media.entries import parse, printable, shown
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
    found = _Comparison()
    references = _references(environment, RestorePointId.parse(dumped.id), artifact)
    for path, kind in beside(references, _paths(environment, snapshot)):
        found.add(path, kind)
    if found.lost:
        raise IntegrityError(
            f"media snapshot {environment.title}/{snapshot.id}: {len(found.lost)} files that the database refers to "
            f"vanished while they were read: {', '.join(map(printable, found.lost[:_SHOWN]))}",
            hint="Start a new backup: its dump and its media snapshot may agree again.",
        )
    return found.result()


class _Comparison:
    """Counts, and the first paths of each kind."""

    def __init__(self) -> None:
        self.lost: list[bytes] = []
        self._total = 0
        self._counts = {"missing": 0, "unreferenced": 0}
        self._paths: dict[str, list[bytes]] = {"missing": [], "unreferenced": []}

    def add(self, path: bytes, kind: str) -> None:
        """One path: "both", "missing", "unreferenced", or "lost" (referred to, and vanished during the walk)."""
        self._total += kind != "unreferenced"
        if kind == "lost":
            self.lost.append(path)
        elif kind != "both":
            self._counts[kind] += 1
            if len(self._paths[kind]) < _RECORDED:
                self._paths[kind].append(path)

    def result(self) -> MediaReferences:
        """What the manifest records."""
        return MediaReferences(
            total=self._total,
            missing=self._counts["missing"],
            missing_paths=tuple(map(shown, self._paths["missing"])),
            unreferenced=self._counts["unreferenced"],
            unreferenced_paths=tuple(map(shown, self._paths["unreferenced"])),
        )


def beside(references: Iterable[bytes], paths: Iterable[tuple[bytes, str]]) -> Iterator[tuple[bytes, str]]:
    """Each reference and each file with what it is, as _Comparison takes it; both come sorted, so none is kept."""
    wanted = iter(references)
    reference = next(wanted, None)
    for path, kind in paths:
        while reference is not None and reference < path:
            yield reference, "missing"
            reference = next(wanted, None)
        if reference == path and kind in ("file", "link", "vanished"):
            yield path, "lost" if kind == "vanished" else "both"
            reference = next(wanted, None)
        elif kind == "file":
            yield path, "unreferenced"
    while reference is not None:
        yield reference, "missing"
        reference = next(wanted, None)


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

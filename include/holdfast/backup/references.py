"""The database's references to media files, as an artifact of the restore point."""

from __future__ import annotations

import json
from collections.abc import Generator, Iterable

from holdfast.backup.artifacts import store_artifact
from holdfast.environment import Environment
from holdfast.errors import UsageError
from holdfast.manifest.model import Artifact
from holdfast.postgres.outer_zstd import compressed
from holdfast.postgres.references import LONGEST_PATH_BYTES, check_references, referenced_paths
from holdfast.postgres.snapshot import ExportedSnapshot
from holdfast.progress import Progress
from holdfast.storage.pieces import joined
from holdfast.values.ids import RestorePointId

NAME = "media-references.jsonl.zst.age"
_PIECE_BYTES = 256 << 10


def demand_references(environment: Environment, snapshot: ExportedSnapshot) -> None:
    """Raise DatabaseError or UsageError, before anything is stored, where the policy's query cannot be run."""
    if environment.policy.media_references is not None:
        check_references(snapshot, environment.policy.media_references)


def store_references(
    environment: Environment, id: RestorePointId, snapshot: ExportedSnapshot, progress: Progress
) -> list[Artifact]:
    """Store what the policy's query yields in the snapshot, one JSON string a line, sorted; nothing without a query.

    The host that takes the backup can read it back, to compare it with the media snapshot.
    """
    query, media = environment.policy.media_references, environment.policy.media
    if query is None or media is None:
        return []
    progress.begin("media references")
    lines = _Lines()
    artifact = store_artifact(
        environment,
        id,
        NAME,
        compressed(lines.of(referenced_paths(snapshot, query, media.source)), 3),
        content="references",
        format="jsonl+zstd",
        recipients=environment.listing_recipients(),
        progress=progress,
    )
    progress.end(f"{lines.count} paths")
    return [artifact]


class _Lines:
    """JSON lines of paths, counted."""

    def __init__(self) -> None:
        self.count = 0

    def of(self, paths: Iterable[str]) -> Generator[bytes, None, None]:
        """The lines, in pieces of about 256 KiB."""
        return joined(map(self._line, paths), least_bytes=_PIECE_BYTES)

    def _line(self, path: str) -> bytes:
        _demand_path(path)
        self.count += 1
        return json.dumps(path, ensure_ascii=False).encode() + b"\n"


def _demand_path(path: str) -> None:
    if len(path.encode()) > LONGEST_PATH_BYTES:
        raise UsageError(
            f"media_references: the query yields a text of more than {LONGEST_PATH_BYTES} bytes, which is no path",
            hint="Correct media_references in the policy: its one column must hold paths of media files alone.",
        )

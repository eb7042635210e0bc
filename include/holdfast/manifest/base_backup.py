"""The manifest of a base backup: a copy of a whole cluster's files, good together with WAL from start to stop LSN."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from holdfast.manifest.model import Record
from holdfast.values.lsn import Lsn


class BaseArtifact(Record):
    """One stored object: its name, what it holds, and size in bytes and SHA-256 as stored (encrypted)."""

    name: str
    content: Literal["base", "backup_manifest"]
    bytes: int
    sha256: str
    recipients: tuple[str, ...]


class BaseBackupManifest(Record):
    """A committed base backup; it exists if and only if this does.

    ``parent`` is the base backup that an incremental one builds on, ``chain`` all of them from the full one on, without
    itself. All times are the server's. ``finished_at`` is after the backup has ended: the earliest instant to recover
    to. ``superuser`` is the cluster's first role. ``settings`` are those that a server that replays its WAL must have
    at least as large: max_connections and its like. ``data_bytes``: what the tar holds.
    """

    format: Literal["holdfast-base-backup/1"] = "holdfast-base-backup/1"
    id: str
    app: str
    environment: str
    kind: Literal["full", "incremental"]
    parent: str | None
    chain: tuple[str, ...]
    holdfast_version: str
    client_version: str
    server_version: str
    server_version_num: int
    system_identifier: str
    timeline: int
    start_lsn: str
    stop_lsn: str
    segment_bytes: int
    has_checksums: bool
    superuser: str
    settings: dict[str, int]
    started_at: datetime
    finished_at: datetime
    files: int
    data_bytes: int
    artifacts: tuple[BaseArtifact, ...]

    @property
    def age(self) -> tuple[datetime, int]:
        """Sorts base backups by when the server began them: one builds only on those before it.

        Ids do not tell: they are of whole seconds, and a run that was opened early may be taken late.
        """
        return self.started_at, Lsn.parse(self.start_lsn).value

    @property
    def artifact_sizes(self) -> dict[str, int]:
        """Stored bytes of each object by name."""
        return {artifact.name: artifact.bytes for artifact in self.artifacts}

    @property
    def stored_bytes(self) -> int:
        """Stored bytes of all objects together."""
        return sum(artifact.bytes for artifact in self.artifacts)

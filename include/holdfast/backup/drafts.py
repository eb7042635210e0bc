"""The drafts of a running backup: what each of its steps leaves in the store for the next."""

from __future__ import annotations

from datetime import datetime

from holdfast.manifest.model import Artifact, DatabaseBackup, InventoryReport, MediaFacts, Record, Verification


class OpenDraft(Record):
    """A restore point that was begun."""

    id: str
    app: str
    environment: str
    tier: str
    label: str | None
    opened_at: datetime


class DumpDraft(Record):
    """Artifacts that were stored, and the facts of the snapshot that they hold."""

    id: str
    artifacts: tuple[Artifact, ...]
    database: DatabaseBackup


class InventoryDraft(Record):
    """The stored inventory, and what it says."""

    id: str
    artifact: Artifact
    report: InventoryReport


class MediaDraft(Record):
    """The media snapshot that was taken after the dump's own."""

    id: str
    media: MediaFacts


class VerifyDraft(Record):
    """What reading the artifacts back has shown."""

    id: str
    artifacts: tuple[Artifact, ...]
    verification: Verification

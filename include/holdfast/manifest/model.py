"""The manifest's fields. Its bytes are written once, signed, and never edited (docs/design.md)."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from pydantic import BaseModel, ConfigDict


class Record(BaseModel):
    """Base of everything that is stored as JSON: frozen, and strict about unknown fields."""

    # Built when first used: most commands need but a few of the kinds.
    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)

    def encode(self) -> bytes:
        """The bytes that are signed and stored: UTF-8 JSON, two-space indents, a closing newline."""
        return self.model_dump_json(indent=2).encode() + b"\n"


class Table(Record):
    """One table (or leaf partition) and its exact number of rows in the dump's snapshot."""

    schema_name: str
    name: str
    oid: int
    rows: int


class Sequence(Record):
    """One sequence as read when the snapshot was taken; PostgreSQL does not version sequences."""

    schema_name: str
    name: str
    last_value: int | None
    increment: int


class Extension(Record):
    """One extension that the database uses."""

    name: str
    version: str
    schema_name: str


class SourceFacts(Record):
    """What was true in the dump's exported snapshot; a restore is compared with it for equality."""

    server_version: str
    server_version_num: int
    system_identifier: str
    database: str
    lsn: str
    in_recovery: bool
    snapshot_at: datetime
    encoding: str
    collate: str
    ctype: str
    locale_provider: Literal["libc", "icu", "builtin"]
    locale: str | None
    database_bytes: int
    tables: tuple[Table, ...]
    sequences: tuple[Sequence, ...]
    extensions: tuple[Extension, ...]
    roles: tuple[str, ...]

    @property
    def rows(self) -> int:
        """All tables' rows together."""
        return sum(table.rows for table in self.tables)


class Artifact(Record):
    """One stored object: its name below the restore point, its size and SHA-256 as stored (encrypted)."""

    name: str
    content: Literal["database", "globals", "inventory", "references"]
    format: str
    bytes: int
    sha256: str
    recipients: tuple[str, ...]


class Verification(Record):
    """What reading the stored artifacts back showed before the manifest was signed."""

    verified_at: datetime
    decrypted: bool
    listed_tables: int | None
    archive_format: str | None
    seconds: float


class DatabaseBackup(Record):
    """How the logical dump was made, and the facts of its source."""

    client_version: str
    compression: str
    started_at: datetime
    finished_at: datetime
    source: SourceFacts


class MediaReferences(Record):
    """The database's references to media files, compared with the snapshot; at most a thousand paths of each kind."""

    total: int
    missing: int
    missing_paths: tuple[str, ...]
    unreferenced: int
    unreferenced_paths: tuple[str, ...]


class MediaFacts(Record):
    """The media snapshot that belongs to a restore point; it was begun after the dump's own snapshot."""

    snapshot: str
    manifest_sha256: str
    started_at: datetime
    finished_at: datetime
    files: int
    bytes: int
    vanished: int
    unstable: int
    references: MediaReferences | None


class InventoryDrift(Record):
    """Names of variables that the inventory and the application's env file do not share, and those due for rotation.

    ``missing``: only in the inventory. ``undocumented``: only in the env file. ``unread``: why the env file could
    not be read, so that nothing was compared.
    """

    missing: tuple[str, ...]
    undocumented: tuple[str, ...]
    overdue: tuple[str, ...]
    is_compared: bool
    unread: str | None


class InventoryReport(Record):
    """The configuration inventory that the restore point holds: how many variables, and its drift on that day."""

    variables: int
    drift: InventoryDrift


class Manifest(Record):
    """A committed restore point."""

    format: Literal["holdfast-manifest/1"] = "holdfast-manifest/1"
    id: str
    app: str
    environment: str
    tier: str
    label: str | None
    opened_at: datetime
    holdfast_version: str
    artifacts: tuple[Artifact, ...]
    database: DatabaseBackup
    media: MediaFacts | None = None
    inventory: InventoryReport | None = None
    verification: Verification

    @property
    def stored_bytes(self) -> int:
        """Stored bytes of all artifacts together."""
        return sum(artifact.bytes for artifact in self.artifacts)

    @property
    def artifact_sizes(self) -> dict[str, int]:
        """Stored bytes of each artifact by name."""
        return {artifact.name: artifact.bytes for artifact in self.artifacts}

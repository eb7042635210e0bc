"""The manifest of a compliance export: chosen tables as CSV, with the exact rows of the snapshot they come from."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from holdfast.manifest.model import Record


class ExportedTable(Record):
    """One table: its columns in the CSV's order, its rows, and size and SHA-256 of the object as stored (encrypted)."""

    schema_name: str
    name: str
    columns: tuple[str, ...]
    rows: int
    object: str
    bytes: int
    sha256: str


class ExportManifest(Record):
    """A committed export; it exists if and only if this does, whatever becomes of the restore point of the same id."""

    format: Literal["holdfast-export/1"] = "holdfast-export/1"
    id: str
    app: str
    environment: str
    tier: str
    holdfast_version: str
    server_version: str
    system_identifier: str
    database: str
    snapshot_at: datetime
    recipients: tuple[str, ...]
    tables: tuple[ExportedTable, ...]

    @property
    def artifact_sizes(self) -> dict[str, int]:
        """Stored bytes of each object by name."""
        return {table.object: table.bytes for table in self.tables}

    @property
    def stored_bytes(self) -> int:
        """Stored bytes of all tables together."""
        return sum(table.bytes for table in self.tables)

    @property
    def rows(self) -> int:
        """All tables' rows together."""
        return sum(table.rows for table in self.tables)

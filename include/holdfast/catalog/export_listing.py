"""The compliance exports of an environment as people and scripts list them."""

from __future__ import annotations

from dataclasses import asdict, dataclass

from holdfast.catalog.catalog import Entry
from holdfast.catalog.exports import ExportCatalog
from holdfast.crypto.signing import Verifier
from holdfast.errors import PermanentError


@dataclass(frozen=True, slots=True)
class TableSummary:
    """One exported table, ``schema.table``, and its rows."""

    name: str
    rows: int
    bytes: int


@dataclass(frozen=True, slots=True)
class ExportSummary:
    """One export; ``faults`` tells what listing and signature alone show to be wrong with it."""

    id: str
    tier: str
    snapshot_at: str | None
    rows: int
    bytes: int
    tables: tuple[TableSummary, ...]
    faults: tuple[str, ...]

    def as_json(self) -> dict[str, object]:
        """The summary as an object of plain values."""
        return {**asdict(self), "tables": [asdict(table) for table in self.tables], "faults": list(self.faults)}


def export_summaries(catalog: ExportCatalog, verifier: Verifier) -> list[ExportSummary]:
    """Every committed export, oldest first; one with a broken manifest is listed with its fault."""
    return [_summary(catalog, verifier, entry) for entry in catalog.entries() if entry.is_committed]


def _summary(catalog: ExportCatalog, verifier: Verifier, entry: Entry) -> ExportSummary:
    id = entry.id
    try:
        manifest = catalog.manifest(id, verifier)
    except PermanentError as error:
        return ExportSummary(str(id), id.tier, None, 0, 0, (), (error.message,))
    tables = (TableSummary(f"{each.schema_name}.{each.name}", each.rows, each.bytes) for each in manifest.tables)
    return ExportSummary(
        id=str(id),
        tier=id.tier,
        snapshot_at=manifest.snapshot_at.isoformat(),
        rows=manifest.rows,
        bytes=manifest.stored_bytes,
        tables=tuple(tables),
        faults=tuple(entry.missing(manifest)),
    )

"""One restore point as its signed manifest tells it, once nothing that it names is missing."""

from __future__ import annotations

from dataclasses import dataclass

from holdfast.catalog.catalog import Catalog
from holdfast.crypto.signing import Verifier
from holdfast.errors import IntegrityError
from holdfast.manifest.model import Manifest
from holdfast.values.ids import RestorePointId


@dataclass(frozen=True, slots=True)
class RowCount:
    """The exact rows of one table, ``schema.table``, in the dump's snapshot."""

    table: str
    rows: int


@dataclass(frozen=True, slots=True)
class Committed:
    """A restore point that stands: its label, its stored bytes, and the rows of its tables by name."""

    id: str
    label: str | None
    bytes: int
    counts: tuple[RowCount, ...]

    @property
    def rows(self) -> int:
        """All tables' rows together."""
        return sum(count.rows for count in self.counts)

    def as_json(self) -> dict[str, str | int | None]:
        """The facts as a flat object, the tables counted only."""
        return {
            "restore_point": self.id,
            "label": self.label,
            "bytes": self.bytes,
            "tables": len(self.counts),
            "rows": self.rows,
        }

    def largest(self, limit: int) -> dict[str, int]:
        """Rows by table of the ``limit`` tables that have most of them, in the order of their names."""
        chosen = sorted(self.counts, key=lambda count: (-count.rows, count.table))[:limit]
        return {count.table: count.rows for count in sorted(chosen, key=lambda count: count.table)}


def read_committed(catalog: Catalog, id: RestorePointId, verifier: Verifier) -> Committed:
    """Read a restore point's manifest, its signature checked.

    Raises what ``Catalog.manifest`` raises, and IntegrityError where the store has lost an artifact since.
    """
    manifest = catalog.manifest(id, verifier)
    faults = catalog.entry(id).missing(manifest)
    if faults:
        raise IntegrityError(f"restore point {catalog.keys.root}{id}: {'; '.join(faults)}")
    return Committed(manifest.id, manifest.label, manifest.stored_bytes, _counts(manifest))


def _counts(manifest: Manifest) -> tuple[RowCount, ...]:
    tables = manifest.database.source.tables
    return tuple(sorted((RowCount(f"{each.schema_name}.{each.name}", each.rows) for each in tables), key=_by_name))


def _by_name(count: RowCount) -> str:
    return count.table

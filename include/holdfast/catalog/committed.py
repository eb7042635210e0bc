"""One restore point as its signed manifest tells it, once nothing that it names is missing."""

from __future__ import annotations

from dataclasses import dataclass

from holdfast.catalog.catalog import Catalog
from holdfast.catalog.restore_checks import RestoreCheck, read_restore_check
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
    """A restore point that stands: what its manifest says, the rows of its tables by name, and its restore check."""

    id: str
    label: str | None
    bytes: int
    media_snapshot: str | None
    counts: tuple[RowCount, ...]
    restore_check: RestoreCheck | None

    @property
    def rows(self) -> int:
        """All tables' rows together."""
        return sum(count.rows for count in self.counts)

    @property
    def outcome(self) -> str:
        """What is proven: ``committed``, ``restorable``, or ``doubtful`` where its restore check did not pass."""
        if self.restore_check is None:
            return "committed"
        return "restorable" if self.restore_check.passed else "doubtful"

    def as_json(self) -> dict[str, str | int | None]:
        """The facts as a flat object, the tables counted only."""
        return {
            "restore_point": self.id,
            "outcome": self.outcome,
            "label": self.label,
            "media_snapshot": self.media_snapshot,
            "bytes": self.bytes,
            "tables": len(self.counts),
            "rows": self.rows,
        }

    def largest(self, limit: int) -> dict[str, int]:
        """Rows by table of the ``limit`` tables that have most of them, in the order of their names."""
        chosen = sorted(self.counts, key=lambda count: (-count.rows, count.table))[:limit]
        return {count.table: count.rows for count in sorted(chosen, key=lambda count: count.table)}


def read_committed(catalog: Catalog, id: RestorePointId, verifier: Verifier) -> Committed:
    """Read a restore point's manifest and restore check, their signatures checked.

    Raises what ``Catalog.manifest`` and ``read_restore_check`` raise, and IntegrityError where the store has lost an
    artifact since.
    """
    manifest = catalog.manifest(id, verifier)
    entry = catalog.entry(id)
    faults = entry.missing(manifest)
    if faults:
        raise IntegrityError(f"restore point {catalog.keys.root}{id}: {'; '.join(faults)}")
    media = manifest.media.snapshot if manifest.media else None
    check = read_restore_check(catalog, id, verifier, entry)
    return Committed(manifest.id, manifest.label, manifest.stored_bytes, media, _counts(manifest), check)


def _counts(manifest: Manifest) -> tuple[RowCount, ...]:
    tables = manifest.database.source.tables
    return tuple(sorted((RowCount(f"{each.schema_name}.{each.name}", each.rows) for each in tables), key=_by_name))


def _by_name(count: RowCount) -> str:
    return count.table

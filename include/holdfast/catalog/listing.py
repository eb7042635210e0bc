"""The restore points of an environment as people and scripts list them."""

from __future__ import annotations

from dataclasses import asdict, dataclass

from holdfast.catalog.catalog import Catalog, Entry
from holdfast.crypto.signing import SIGNATURE_BYTES
from holdfast.errors import PermanentError
from holdfast.manifest.head import Head
from holdfast.values import keys


@dataclass(frozen=True, slots=True)
class PointSummary:
    """One restore point; ``faults`` tells what is already known to be wrong with it from listing alone."""

    id: str
    tier: str
    label: str | None
    opened_at: str
    bytes: int
    tables: int
    rows: int
    media_snapshot: str | None
    is_held: bool
    faults: tuple[str, ...]

    def as_json(self) -> dict[str, object]:
        """The summary as an object of plain values."""
        fields = asdict(self)
        is_held = fields.pop("is_held")
        return {**fields, "held": is_held, "faults": list(self.faults)}


def summaries(catalog: Catalog) -> list[PointSummary]:
    """Every committed restore point, oldest first; one with a broken manifest is listed with its fault."""
    entries = {entry.id: entry for entry in catalog.entries() if entry.is_committed}
    return [_summary(entries[id], head) for id, head in catalog.heads(entries)]


def _summary(entry: Entry, head: Head | PermanentError) -> PointSummary:
    common = {
        "id": str(entry.id),
        "tier": entry.id.tier,
        "opened_at": entry.id.opened_at.isoformat(),
        "is_held": entry.is_held,
    }
    if isinstance(head, PermanentError):
        return PointSummary(
            **common,  # type: ignore[arg-type]
            label=None,
            bytes=0,
            tables=0,
            rows=0,
            media_snapshot=None,
            faults=(head.message,),
        )
    return PointSummary(
        **common,  # type: ignore[arg-type]
        label=head.label,
        bytes=head.stored_bytes,
        tables=head.tables,
        rows=head.rows,
        media_snapshot=head.media_snapshot,
        faults=(*entry.missing(head), *_signature_faults(entry)),
    )


def _signature_faults(entry: Entry) -> list[str]:
    """Whether a signature fits is for `verify` to say; that there is none shows at once."""
    stored = entry.objects.get(keys.SIGNATURE)
    is_whole = stored is not None and stored.size_bytes == SIGNATURE_BYTES
    return [] if is_whole else [f"{keys.SIGNATURE} is missing or cut"]

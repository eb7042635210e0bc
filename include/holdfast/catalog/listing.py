"""The restore points of an environment as people and scripts list them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass

from holdfast.catalog.catalog import Catalog, Entry
from holdfast.catalog.media import MediaCatalog
from holdfast.catalog.media_listing import SnapshotObjects, snapshot_objects
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
    """Every committed restore point, oldest first; one with a broken manifest is listed with its fault.

    Of paired media it is seen whether manifest, signature and listing stand, from one listing for all restore points.
    """
    entries = {entry.id: entry for entry in catalog.entries() if entry.is_committed}
    heads = list(catalog.heads(entries))
    has_media = any(isinstance(head, Head) and head.media_snapshot is not None for _, head in heads)
    # Listed last: what a listed restore point pairs with was there before it.
    media = snapshot_objects(MediaCatalog(catalog.store, catalog.keys)) if has_media else {}
    return [_summary(entries[id], head, media) for id, head in heads]


def _summary(entry: Entry, head: Head | PermanentError, media: Mapping[str, SnapshotObjects]) -> PointSummary:
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
        faults=(*entry.missing(head), *_signature_faults(entry), *_media_faults(head, media)),
    )


def _signature_faults(entry: Entry) -> list[str]:
    """Whether a signature fits is for `verify` to say; that there is none shows at once."""
    stored = entry.objects.get(keys.SIGNATURE)
    is_whole = stored is not None and stored.size_bytes == SIGNATURE_BYTES
    return [] if is_whole else [f"{keys.SIGNATURE} is missing or cut"]


def _media_faults(head: Head, media: Mapping[str, SnapshotObjects]) -> list[str]:
    """What a listing shows. The snapshot is not named: its id stands in a manifest whose signature is unchecked."""
    if head.media_snapshot is None:
        return []
    objects = media.get(head.media_snapshot, {})
    if ".json" not in objects:
        return ["its media snapshot is missing"]
    signature = objects.get(".sig")
    faults = []
    if signature is None or signature.size_bytes != SIGNATURE_BYTES:
        faults.append("the signature of its media snapshot is missing or cut")
    if keys.LISTING_ENDING not in objects:
        faults.append("the listing of its media snapshot is missing")
    return faults

"""The restore points of an environment as people and scripts list them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass

from holdfast.catalog.catalog import Catalog, Entry
from holdfast.catalog.media import MediaCatalog
from holdfast.catalog.media_listing import SnapshotObjects, snapshot_objects
from holdfast.catalog.restore_checks import checks_of, read_restore_check
from holdfast.crypto.signing import SIGNATURE_BYTES, Verifier
from holdfast.errors import ObjectMissing, PermanentError
from holdfast.manifest.head import Head
from holdfast.values import keys
from holdfast.values.ids import RestorePointId

_READERS = 16


@dataclass(frozen=True, slots=True)
class PointSummary:
    """One restore point; ``faults`` tells what is already known to be wrong with it from listing alone.

    ``restore_check``: ``passed`` or ``failed``, as its newest record says; None without one that can be believed.
    """

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
    restore_check: str | None = None

    def as_json(self) -> dict[str, object]:
        """The summary as an object of plain values."""
        fields = asdict(self)
        is_held = fields.pop("is_held")
        return {**fields, "held": is_held, "faults": list(self.faults)}


@dataclass(frozen=True, slots=True)
class _Tried:
    """What the newest record of a restore check says, or why it cannot be believed."""

    verdict: str | None = None
    fault: str | None = None


_UNTRIED = _Tried()


def summaries(catalog: Catalog, verifier: Callable[[], Verifier | None] = lambda: None) -> list[PointSummary]:
    """Every committed restore point, oldest first; one with a broken manifest is listed with its fault.

    Of paired media it is seen whether manifest, signature and listing stand, from one listing for all restore points.
    Records of restore checks are read where there are any, and believed when ``verifier``, asked for then, has a key
    that they fit.
    """
    entries = {entry.id: entry for entry in catalog.entries() if entry.is_committed}
    heads = list(catalog.heads(entries))
    has_media = any(isinstance(head, Head) and head.media_snapshot is not None for _, head in heads)
    # Listed last: what a listed restore point pairs with was there before it.
    media = snapshot_objects(MediaCatalog(catalog.store, catalog.keys)) if has_media else {}
    tried = _tried(catalog, entries.values(), verifier)
    return [_summary(entries[id], head, media, tried.get(id, _UNTRIED)) for id, head in heads]


def _tried(
    catalog: Catalog, entries: Iterable[Entry], verifier: Callable[[], Verifier | None]
) -> dict[RestorePointId, _Tried]:
    due = [entry for entry in entries if checks_of(entry)]
    key = verifier() if due else None
    if key is None:
        return {}

    def read(entry: Entry) -> _Tried:
        try:
            check = read_restore_check(catalog, entry.id, key, entry)
        except ObjectMissing:  # expired since it was listed
            return _UNTRIED
        except PermanentError as error:
            return _Tried(fault=error.message)
        return _UNTRIED if check is None else _Tried("passed" if check.passed else "failed")

    with ThreadPoolExecutor(_READERS) as readers:
        return dict(zip((entry.id for entry in due), readers.map(read, due), strict=True))


def _summary(
    entry: Entry, head: Head | PermanentError, media: Mapping[str, SnapshotObjects], tried: _Tried
) -> PointSummary:
    common = {
        "id": str(entry.id),
        "tier": entry.id.tier,
        "opened_at": entry.id.opened_at.isoformat(),
        "is_held": entry.is_held,
        "restore_check": tried.verdict,
    }
    found = [tried.fault] if tried.fault else []
    if isinstance(head, PermanentError):
        return PointSummary(
            **common,  # type: ignore[arg-type]
            label=None,
            bytes=0,
            tables=0,
            rows=0,
            media_snapshot=None,
            faults=(head.message, *found),
        )
    return PointSummary(
        **common,  # type: ignore[arg-type]
        label=head.label,
        bytes=head.stored_bytes,
        tables=head.tables,
        rows=head.rows,
        media_snapshot=head.media_snapshot,
        faults=(*entry.missing(head), *_signature_faults(entry), *_media_faults(head, media), *found),
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

"""The restore points that a person who restores chooses from: the newest, proven ones first."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime

from holdfast.catalog.catalog import Catalog, Entry
from holdfast.catalog.restore_checks import genuine_restore_check
from holdfast.crypto.signing import Verifier
from holdfast.errors import PermanentError
from holdfast.manifest.head import Head
from holdfast.values.ids import RestorePointId

_READERS = 16
_LOOKED_AT = 3


@dataclass(frozen=True, slots=True)
class Choice:
    """One restore point to choose; ``is_verified`` is None where no restore check of it can be believed."""

    id: RestorePointId
    taken_at: datetime
    label: str | None
    is_verified: bool | None
    stored_bytes: int


def restore_choices(catalog: Catalog, verifier: Verifier | None, limit: int = 12) -> list[Choice]:
    """Up to ``limit`` restore points that are whole as far as listing shows, verified before others, each newest first.

    Of the newest three times as many; manifests' signatures are unchecked here. Without a verifier none counts as
    verified. One whose restore check has failed comes last.
    """
    committed = [entry for entry in catalog.entries() if entry.is_committed]
    entries = {entry.id: entry for entry in committed[-limit * _LOOKED_AT :]}
    heads = {
        id: head for id, head in catalog.heads(entries) if isinstance(head, Head) and not entries[id].missing(head)
    }

    def verdict(id: RestorePointId) -> bool | None:
        return _verdict(catalog, entries[id], verifier)

    with ThreadPoolExecutor(_READERS) as readers:
        verdicts = dict(zip(heads, readers.map(verdict, heads), strict=True))
    found = [
        Choice(id, id.opened_at, head.label, verdicts[id], head.stored_bytes)
        for id, head in sorted(heads.items(), reverse=True)
    ]
    return sorted(found, key=lambda choice: _ORDER[choice.is_verified])[:limit]


_ORDER = {True: 0, None: 1, False: 2}


def _verdict(catalog: Catalog, entry: Entry, verifier: Verifier | None) -> bool | None:
    if verifier is None:
        return None
    try:
        check, is_disputed = genuine_restore_check(catalog, entry, verifier)
    except PermanentError:
        return None
    return check.passed if check is not None and not is_disputed else None

"""What is wrong with the newest points beyond their own folders: media that are gone, artifacts that nobody opens."""

from __future__ import annotations

from collections.abc import Mapping

from holdfast.errors import ObjectMissing
from holdfast.values import keys
from holdfast.values.ids import RestorePointId
from holdfast.watch.facts import FaultyPoint, Trouble
from holdfast.watch.reading.keys import opening_fault
from holdfast.watch.reading.media import MediaSnapshots
from holdfast.watch.reading.places import Told
from holdfast.watch.reading.round import Reading, fault

_NEEDED = (keys.MANIFEST, keys.SIGNATURE, keys.LISTING_ENDING)
_NO_KEY = "keys.identity_file opens none of the newest backups either"


def missing_media(
    reading: Reading, media: MediaSnapshots, newest: Mapping[RestorePointId, Told]
) -> tuple[FaultyPoint, ...]:
    """Restore points whose media snapshot is not there as a whole."""
    if not media.entries:
        media.ids()
    faults = []
    for id, told in newest.items():
        snapshot = RestorePointId.recognised(told.media_snapshot or "")
        if snapshot is None:
            continue
        objects = media.entries[snapshot].objects if snapshot in media.entries else {}
        missing = [name for name in _NEEDED if name not in objects]
        # An expire beside this reading takes the restore point first.
        if missing and reading.environment.catalog.entry(id).is_committed:
            text = f"{reading.environment.title}/{id}: of its media snapshot {', '.join(missing)} is missing"
            faults.append(fault(id, "artifact_missing", text))
    return tuple(faults)


def undecryptable(reading: Reading, newest: Mapping[RestorePointId, Told]) -> tuple[FaultyPoint, ...]:
    """Points whose largest artifact no identity at hand opens; one trouble where it is the identity that is wrong."""
    if not reading.identities:
        return ()
    due = {id: told.opened_by for id, told in newest.items() if told.opened_by is not None}

    def look(key: str) -> str | None:
        try:
            return opening_fault(reading, key)
        except ObjectMissing:  # told by what its manifest names
            return None

    found = dict(zip(due, reading.each(look, due.values()), strict=True))
    faults = {id: reason for id, reason in found.items() if reason is not None}
    if faults and not reading.is_fitting:
        reading.tell(Trouble(kind="not_decryptable", subject="identity", text=_NO_KEY))
        return ()
    return tuple(fault(id, "not_decryptable", f"{due[id]}: {reason}") for id, reason in faults.items())

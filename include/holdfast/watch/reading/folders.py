"""Looks into folders that bear ids, in few requests: those close together by one listing, others one by one."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from holdfast.catalog.catalog import Entry
from holdfast.catalog.folders import look_into
from holdfast.storage.protocol import StoredObject
from holdfast.values.ids import RestorePointId
from holdfast.watch.reading.round import Reading

# A page of a listing holds a thousand objects, a folder about eight.
_PER_WANTED = 3
_FREE = 10


def tail_of(names: Sequence[str], wanted: Collection[str]) -> str | None:
    """The first of the sorted ``names`` from which on all are best listed together; None where no two are wanted."""
    start, hits = None, 0
    for count, name in enumerate(reversed(names), 1):
        if name in wanted:
            hits += 1
            if hits > 1 and count <= _PER_WANTED * hits + _FREE:
                start = name
    return start


def look_into_folders(
    reading: Reading,
    prefix: str,
    names: Sequence[str],
    wanted: Collection[RestorePointId],
    welcome: Collection[RestorePointId] = (),
) -> dict[RestorePointId, Entry]:
    """What lies in the ``wanted`` folders of those below ``prefix``, and in what more shows on the way.

    ``names`` are all of them, sorted; ``welcome`` are looked into only where that costs no request of its own.
    """
    store = reading.environment.store
    start = tail_of(names, {str(id) for id in (*wanted, *welcome)})
    found = {} if start is None else _listed(reading, prefix, start)
    for id in wanted:
        if start is not None and str(id) >= start:
            found.setdefault(id, Entry(id, {}))
    apart = [id for id in wanted if id not in found]
    found |= zip(apart, reading.each(lambda one: look_into(store, f"{prefix}{one}/", one), apart), strict=True)
    return found


def _listed(reading: Reading, prefix: str, start: str) -> dict[RestorePointId, Entry]:
    folders: dict[RestorePointId, dict[str, StoredObject]] = {}
    for stored in reading.environment.store.list(prefix, after=prefix + start):
        folder, _, name = stored.key[len(prefix) :].partition("/")
        id = RestorePointId.recognised(folder)
        if id is not None:
            folders.setdefault(id, {})[name] = stored
    return {id: Entry(id, objects) for id, objects in folders.items()}

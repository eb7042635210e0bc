"""Folders of a store that bear ids: what lies in each, from one listing."""

from __future__ import annotations

from holdfast.catalog.catalog import Entry
from holdfast.storage.protocol import Store, StoredObject
from holdfast.values.ids import RestorePointId


def list_folders(store: Store, prefix: str) -> list[Entry]:
    """Every folder below ``prefix`` whose name is an id, committed or a remnant, oldest first."""
    folders: dict[RestorePointId, dict[str, StoredObject]] = {}
    for stored in store.list(prefix):
        folder, _, name = stored.key[len(prefix) :].partition("/")
        id = RestorePointId.recognised(folder)
        if id is not None:
            folders.setdefault(id, {})[name] = stored
    return [Entry(id, folders[id]) for id in sorted(folders)]


def look_into(store: Store, folder: str, id: RestorePointId) -> Entry:
    """What lies below ``folder``, the one of ``id``, which may be nothing."""
    return Entry(id, {stored.key[len(folder) :]: stored for stored in store.list(folder)})

"""A store as it would be without some of its objects lists neither them nor the folders that they alone fill."""

from __future__ import annotations

from holdfast.expire.hiding import Without
from holdfast.storage.protocol import Store


def test_hidden_objects_are_not_listed(local_store: Store) -> None:
    """A folder of which something is left is still one."""
    for key in ("a/1", "a/2", "b/1", "c/1"):
        local_store.put(key, [b"x"])
    store = Without(local_store, {"a/1", "b/1"})
    assert [stored.key for stored in store.list("")] == ["a/2", "c/1"]
    assert [stored.key for stored in store.list("", after="a/2")] == ["c/1"]
    assert store.folders("") == ["a", "c"]

"""The tests' own failing store fails where it is told to, and is a store otherwise."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from failing_store import FailingStore, Moment
from holdfast.errors import HoldfastError, StoreError
from holdfast.storage.local import LocalStore
from holdfast.storage.protocol import Store
from store_contract import keys_of

USES: list[Callable[[Store], object]] = [
    lambda store: store.put("a/b", [b"12", b"34"]),
    lambda store: store.get("a/b"),
    lambda store: list(store.stream("a/b")),
    lambda store: store.read_range("a/b", 0, 1),
    lambda store: store.head("a/b"),
    lambda store: keys_of(store, "a/"),
    lambda store: store.delete("a/b"),
]
NAMES = ["put", "get", "stream", "read_range", "head", "list", "delete"]


def test_without_a_failure_it_only_notes_calls(tmp_path: Path) -> None:
    """The calls of a whole run can be counted first."""
    store = FailingStore(LocalStore(tmp_path))
    for use in USES:
        use(store)
    assert [operation for operation, _ in store.calls] == NAMES
    assert not store.has_failed


@pytest.mark.parametrize("moment", ["before", "amid", "after"])
@pytest.mark.parametrize("number", range(1, len(USES) + 1))
def test_the_chosen_call_fails(tmp_path: Path, number: int, moment: Moment) -> None:
    """That one and no other; a put that fails before its end stores nothing."""
    inner = LocalStore(tmp_path)
    store = FailingStore(inner, fail_at=number, moment=moment)
    failed = []
    for use, name in zip(USES, NAMES, strict=True):
        try:
            use(store)
        except StoreError as error:
            assert "on purpose" in error.message
            failed.append(name)
        except HoldfastError:
            assert (number, moment) in ((1, "before"), (1, "amid")), "only what was not stored is missing"
        if name == "put":
            assert (keys_of(inner) == ["a/b"]) == (number != 1 or moment == "after")
    assert failed == [NAMES[number - 1]]
    assert store.has_failed
    assert keys_of(inner) == ([] if number != 7 or moment == "after" else ["a/b"])

"""Syncs that take their steps between the storage calls of an expire whose clock is days ahead: nothing needed goes."""

from __future__ import annotations

import shutil
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fix_environment import POLICY
from holdfast.crypto.keyfiles import new_keys
from holdfast.environment import Environment, open_environment
from holdfast.expire import expire
from holdfast.storage.local import LocalStore
from holdfast.storage.protocol import Store
from holdfast.values.airflow_conn import EnvironmentConnections
from holdfast.values.ids import RestorePointId
from media_snapshots import put_draft, put_shard, store_snapshot

TODAY = datetime.now(UTC).replace(microsecond=0)
AHEAD = TODAY + timedelta(days=60)
MEDIA = """    media: {source: "file:///srv/media"}
    tiers:
      media: {keep: 35d}
"""
CALLS = 24  # about as many as an expire of the store below makes


class EventfulStore:
    """Calls ``event`` with the number of each call, right before it is made."""

    def __init__(self, inner: Store, event: Callable[[int], None]) -> None:
        self._inner, self._event, self._calls = inner, event, 0
        self._lock = threading.Lock()

    def __getattr__(self, name: str) -> object:
        found = getattr(self._inner, name)
        if not callable(found):
            return found

        def call(*args: object, **more: object) -> object:
            with self._lock:
                self._calls += 1
                self._event(self._calls)
            return found(*args, **more)

        return call


def _id(day: int) -> RestorePointId:
    return RestorePointId.make(TODAY + timedelta(days=day), "media", str(day))


def _sync(environment: Environment, day: int, *, drops_parent: bool) -> Iterator[None]:
    """A sync that takes one step at each turn and uses again all that it may, whatever its age."""
    id, keys, catalog = _id(day), environment.keys, environment.media_catalog
    put_draft(environment, id)
    yield
    stored = set(catalog.shards())
    yield
    found = list(catalog.manifests(reversed(catalog.ids()), environment.verifier()))
    parent = next((manifest for _, manifest in found if not isinstance(manifest, Exception)), None)
    needed = {shard.id for shard in parent.shards} if parent and not drops_parent else set()
    yield
    for objects in catalog.drafts().values():
        needed |= {name.removesuffix(".jsonl.zst.age") for name in objects if name != "open.json"} & stored
    yield
    needed.add(put_shard(environment, f"new{day}"))
    yield
    is_sound = needed <= set(catalog.shards()) and "open.json" in catalog.drafts().get(id, {})
    yield
    if is_sound:
        # Not by put_shard, which would store what is gone once more.
        stored_again = set(catalog.shards())
        store_snapshot(environment, id, needed)
        for shard in needed - stored_again:
            environment.store.delete(keys.shard(shard))
        yield
        for name in catalog.drafts().get(id, {}):
            environment.store.delete(keys.media_draft(id, name))


@pytest.fixture(scope="module")
def environment_of(tmp_path_factory: pytest.TempPathFactory) -> Callable[[], Environment]:
    """Makes the environment over a copy of a store with old snapshots, a dead sync and a loose shard."""
    folder = tmp_path_factory.mktemp("beside")
    new_keys(folder / "keys")
    policy = POLICY.format(store_url=f"file://{folder}/none", store_conn="null", keys=folder / "keys")
    policy_file = folder / "shop.yaml"
    policy_file.write_text(policy.replace("    tiers:\n", MEDIA))
    opened = open_environment(policy_file, "production", EnvironmentConnections({}))
    filled = replace(opened, store=LocalStore(folder / "filled"))
    store_snapshot(filled, _id(-50), ["a", "shared"])
    store_snapshot(filled, _id(-49), ["b", "shared"])
    put_draft(filled, _id(-48), ["d"])
    put_shard(filled, "loose")

    def make() -> Environment:
        shutil.rmtree(folder / "store", ignore_errors=True)
        shutil.copytree(folder / "filled", folder / "store")
        return replace(opened, store=LocalStore(folder / "store"))

    return make


Turn = tuple[int, int, int]  # at which call of expire, which sync, how many steps
turns = st.lists(
    st.tuples(st.integers(1, CALLS), st.sampled_from([0, 1]), st.integers(1, 7)), min_size=1, max_size=8
).map(sorted)


@settings(max_examples=100)
@given(runs=st.lists(turns, min_size=1, max_size=3), drops=st.tuples(st.booleans(), st.booleans()), data=st.data())
def test_no_snapshot_ever_lacks_a_shard(
    environment_of: Callable[[], Environment],
    runs: list[list[Turn]],
    drops: tuple[bool, bool],
    data: st.DataObject,
) -> None:
    """Two syncs step at any moments of up to three runs, and die or end; who committed has all its shards."""
    environment = environment_of()
    if data.draw(st.booleans()):
        store_snapshot(environment, _id(-47), ["c", "shared"])
    syncs = [_sync(environment, day, drops_parent=drops[day]) for day in (0, 1)]
    for turn in runs:
        waiting = list(turn)

        def event(number: int, waiting: list[Turn] = waiting) -> None:
            while waiting and waiting[0][0] <= number:
                _, sync, steps = waiting.pop(0)
                for _ in range(steps):
                    next(syncs[sync], None)

        eventful = replace(environment, store=EventfulStore(environment.store, event))  # type: ignore[arg-type]
        expire(eventful, now=AHEAD)
        event(CALLS)
        catalog = environment.media_catalog
        for id in catalog.ids():
            named = {shard.id for shard in catalog.manifest(id, environment.verifier()).shards}
            assert named <= set(catalog.shards()), id

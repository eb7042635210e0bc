"""Real syncs and expires at the same time, and expires that are killed: no snapshot ever lacks what it names."""

from __future__ import annotations

import random
import signal
import subprocess
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from fix_bucket import RawBucket
from fix_environment import MakeSite, Site
from holdfast.backup.media.sync import take_snapshot
from holdfast.environment import Environment
from holdfast.errors import TransientError
from holdfast.expire import expire
from holdfast.expire.locks import Locks
from holdfast.media.packing import ShardSizes
from holdfast.progress import Silent
from holdfast.storage.protocol import Store
from holdfast.values.duration import Duration
from holdfast.values.ids import RestorePointId
from holdfast_embedded.seaweedfs import SeaweedFS
from media_snapshots import store_snapshot

TINY = ShardSizes(least=1 << 10, target=2 << 10, most=4 << 10)
ROUNDS = 6


@pytest.fixture
def site(make_site: MakeSite, tmp_path: Path) -> Site:
    """A site whose media are gone as soon as nothing needs them."""
    site = make_site("postgresql://nobody@127.0.0.1:1/none")
    tree = tmp_path / "tree"
    tree.mkdir()
    media = f'    media: {{source: "file://{tree}"}}\n    orphan_grace: 1s\n    tiers:\n      media: {{keep: 1s}}\n'
    site.edit_policy("    tiers:\n", media)
    return site


@pytest.fixture
def environment(site: Site, make_store: Callable[[], Store]) -> Environment:
    """It, over a store of each kind."""
    return replace(site.environment(), store=make_store())


def _demand_whole(environment: Environment) -> set[str]:
    """Every snapshot's shards stand in the recorded size; returns those of all."""
    catalog = environment.media_catalog
    manifests = [catalog.manifest(id, environment.verifier()) for id in catalog.ids()]
    stored = {shard: found.size_bytes for shard, found in catalog.shards().items()}
    for manifest in manifests:
        assert {shard.id: shard.bytes for shard in manifest.shards}.items() <= stored.items(), manifest.id
        assert environment.store.head(environment.keys.listing(RestorePointId.parse(manifest.id)))
    return {shard.id for manifest in manifests for shard in manifest.shards}


def _edit(tree: Path, chance: random.Random) -> None:
    for _ in range(4):
        name = tree / f"{chance.randrange(12)}"
        if chance.random() < 0.2:
            name.unlink(missing_ok=True)
        else:
            name.write_bytes(chance.randbytes(chance.randrange(1, 1500)))


def test_syncs_and_expires_side_by_side(environment: Environment, tmp_path: Path) -> None:
    """Two syncers and two expirers at full speed, and each snapshot whole at every look."""
    # Longer than a sync takes on a busy machine: what no sync of these outlives is for other tests.
    grace = {"orphan_grace": Duration.parse("10s")}
    environment = replace(environment, policy=environment.policy.model_copy(update=grace))
    tree, outcomes = tmp_path / "tree", []
    (tree / "stays").write_bytes(b"x" * 3000)
    is_over = threading.Event()

    def syncer(number: int) -> None:
        chance = random.Random(number)
        for turn in range(ROUNDS):
            if number == 0:
                _edit(tree, chance)
            id = RestorePointId.make(environment.clock(), "media", f"{number} {turn}")
            try:
                outcomes.append(take_snapshot(environment, id, force=False, progress=Silent(), sizes=TINY))
            except TransientError as error:
                assert "removed meanwhile" in error.message
            time.sleep(chance.random() * 0.4)

    def expirer(number: int) -> None:
        chance = random.Random(100 + number)
        while not is_over.is_set():
            expire(environment, now=environment.clock())
            time.sleep(chance.random() * 0.3)

    with ThreadPoolExecutor(4) as threads:
        expirers = [threads.submit(expirer, number) for number in (0, 1)]
        try:
            for done in [threads.submit(syncer, number) for number in (0, 1)]:
                done.result()
        finally:
            is_over.set()
        for done in expirers:
            done.result()
    assert len(outcomes) >= ROUNDS
    assert environment.media_catalog.ids()
    _demand_whole(environment)
    # Of those that began in one second, each may be the newest by another clock: the last one has a second of its own.
    last = RestorePointId.make(environment.clock() + timedelta(seconds=1), "media", "last")
    take_snapshot(environment, last, force=False, progress=Silent(), sizes=TINY)
    for _ in range(3):
        expire(environment, now=environment.clock() + timedelta(seconds=12))
    assert environment.media_catalog.ids() == [last]
    assert set(environment.media_catalog.shards()) == _demand_whole(environment)


def test_newest_snapshot_can_be_built_upon_after_a_clock_jump(environment: Environment, tmp_path: Path) -> None:
    """Expired as of years later, the next sync finds all unchanged."""
    (tmp_path / "tree" / "a").write_bytes(b"a" * 5000)
    take = [RestorePointId.make(environment.clock() + timedelta(seconds=each), "media", "x") for each in (-9, -5, 0)]
    for id in take[:2]:
        take_snapshot(environment, id, force=False, progress=Silent(), sizes=TINY)
    report = expire(environment, now=datetime(2090, 1, 1, tzinfo=UTC))
    assert [deletion.id for deletion in report.media.snapshots] == [str(take[0])]
    assert report.media.shards == ()
    facts = take_snapshot(environment, take[2], force=False, progress=Silent(), sizes=TINY)
    assert (facts.new_files, facts.stored_bytes) == (0, 0)
    _demand_whole(environment)


@pytest.mark.parametrize("delay_s", [0.0, 0.01, 0.05, 0.2])
def test_killed_expire_is_finished_by_the_next(site: Site, delay_s: float) -> None:
    """Killed amid its deletions: what stands is whole, and further runs leave only what is needed."""
    environment = site.environment()
    start = datetime.now(UTC) - timedelta(days=100)
    ids = [RestorePointId.make(start + timedelta(days=day), "media", str(day)) for day in range(30)]
    for day, id in enumerate(ids):
        store_snapshot(environment, id, [f"own{day}", f"pair{day // 2}", "all"])
    command = site.command("expire", str(site.policy_file), "production")
    process = subprocess.Popen(command, env=site.surroundings(), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    first = site.store_folder / environment.keys.media_manifest(ids[0])
    while first.exists() and process.poll() is None:
        time.sleep(0.001)
    time.sleep(delay_s)
    process.send_signal(signal.SIGKILL)
    process.wait()
    _demand_whole(environment)
    time.sleep(1.1)  # the grace time of this site
    for _ in range(2):
        site.run("expire", str(site.policy_file), "production")
    assert environment.media_catalog.ids() == ids[-1:]
    assert set(environment.media_catalog.shards()) == _demand_whole(environment) == {"own29", "pair14", "all"}
    assert len([name for name in site.stored_files() if "/media/" in name]) == 6


def test_locked_media_are_not_called_deleted(make_site: MakeSite, seaweed: SeaweedFS, lock_bucket: RawBucket) -> None:
    """A locked snapshot stays with its shards; a locked shard stays alone, and goes when its lock has ended."""
    url = f"s3://{lock_bucket.name}/holdfast"
    site = make_site("postgresql://nobody@127.0.0.1:1/none", store_url=url, store_conn=seaweed.connection_json())
    site.edit_policy("    tiers:\n", '    media: {source: "file:///srv/media"}\n    tiers:\n      media: {keep: 35d}\n')
    environment, now = site.environment(), datetime.now(UTC).replace(microsecond=0)
    ids = [RestorePointId.make(now + timedelta(days=day), "media", "x") for day in (-50, -40, 0)]
    for id, shards in zip(ids, (["a", "b"], ["c"], ["n"]), strict=True):
        store_snapshot(environment, id, shards)

    def lock(key: str, until: datetime) -> None:
        retention = {"Mode": "GOVERNANCE", "RetainUntilDate": until}
        lock_bucket.put_object_retention(Key=f"holdfast/{key}", Retention=retention, BypassGovernanceRetention=True)

    lock(environment.keys.shard("a"), now + timedelta(days=2))
    lock(environment.keys.listing(ids[1]), now + timedelta(days=2))
    later = now + timedelta(days=3)
    for is_dry in (True, False):
        media = expire(environment, now=later, dry_run=is_dry).media
        assert [deletion.id for deletion in media.snapshots] == [str(ids[0])]
        assert [deletion.id for deletion in media.shards] == ["b"]
        assert media.locked == 1
        assert "locked until" in {decision.id: decision.reason for decision in media.kept}[ids[1]]
    assert set(environment.media_catalog.shards()) == {"a", "c", "n"}
    lock(environment.keys.shard("a"), datetime.now(UTC) + timedelta(seconds=1))
    deadline = time.monotonic() + 20
    while Locks(environment).until(environment.keys.shard("a")) is not None:
        assert time.monotonic() < deadline
    assert [deletion.id for deletion in expire(environment, now=later).media.shards] == ["a"]

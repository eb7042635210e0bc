"""Faults amid a media sync: whatever fails or is killed, earlier snapshots stand and the next sync converges."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from failing_store import FailingStore
from fix_environment import Site
from fix_media import tree_of
from holdfast.backup.media.sync import take_snapshot
from holdfast.environment import Environment
from holdfast.errors import HoldfastError, StoreError
from holdfast.media.packing import ShardSizes
from holdfast.progress import Silent
from holdfast.restore import restore_media
from holdfast.values.ids import RestorePointId

SMALL = ShardSizes(least=40_000, target=60_000, most=100_000)
START = datetime(2026, 11, 22, tzinfo=UTC)

SLOW_SYNC = """
import sys, time
from datetime import UTC, datetime
from pathlib import Path
from holdfast.backup.media import sync
from holdfast.environment import open_environment
from holdfast.media.packing import ShardSizes
from holdfast.progress import Silent
from holdfast.values.airflow_conn import EnvironmentConnections
from holdfast.values.ids import RestorePointId

kept = sync._Sync._keep_shard

def slowly(self, use, lines):
    kept(self, use, lines)
    print("kept", flush=True)
    time.sleep(0.3)

sync._Sync._keep_shard = slowly
environment = open_environment(Path(sys.argv[1]), "production", EnvironmentConnections({}))
id = RestorePointId.make(datetime(2026, 11, 22, 1, tzinfo=UTC), "media", sys.argv[2])
sizes = ShardSizes(least=40_000, target=60_000, most=100_000)
sync.take_snapshot(environment, id, force=False, progress=Silent(), sizes=sizes)
print("done", flush=True)
"""


def snapshot(environment: Environment, hour: int) -> RestorePointId:
    id = RestorePointId.make(START + timedelta(hours=hour), "media", str(hour))
    take_snapshot(environment, id, force=False, progress=Silent(), sizes=SMALL)
    return id


def fill(media: Path, count: int) -> None:
    for number in range(count):
        (media / f"{os.urandom(4).hex()}-{number}").write_bytes(os.urandom(20_000))


def start_slow_sync(site: Site, run: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", SLOW_SYNC, str(site.policy_file), run],
        env=site.surroundings(),
        stdout=subprocess.PIPE,
        text=True,
    )


@pytest.mark.parametrize("rerun", ["same run", "another run"])
def test_killed_sync_leaves_no_snapshot_and_its_shards_are_used_again(
    media_site: Site, tmp_path: Path, rerun: str
) -> None:
    """Kill -9 after some shards were stored; the earlier snapshot stands."""
    media = media_site.folder / "media"
    fill(media, 3)
    environment = media_site.environment()
    earlier = snapshot(environment, 0)
    fill(media, 40)
    time.sleep(2.6)  # what was written just now would be read again in any case
    with start_slow_sync(media_site, "one") as process:
        assert process.stdout is not None
        for _ in range(4):
            assert process.stdout.readline() == "kept\n"
        process.send_signal(signal.SIGKILL)
    assert environment.media_catalog.ids() == [earlier]
    stored = set(environment.media_catalog.shards())
    with start_slow_sync(media_site, "one" if rerun == "same run" else "two") as process:
        assert process.communicate(timeout=60)[0].endswith("done\n")
    (_, later) = environment.media_catalog.ids()
    manifest = environment.media_catalog.manifest(later, environment.verifier())
    assert stored <= {use.id for use in manifest.shards}
    added = set(environment.media_catalog.shards()) - stored
    assert added and manifest.new_files < 40 - 8
    restore_media(environment, later, tmp_path / "back")
    assert tree_of(tmp_path / "back") == tree_of(media)
    restore_media(environment, earlier, tmp_path / "earlier")
    assert len(list((tmp_path / "earlier").iterdir())) == 3


def test_forged_shard_of_a_dead_sync_is_not_used(media_site: Site) -> None:
    """Who can only write to the bucket cannot have its own bytes taken for a file's."""
    media = media_site.folder / "media"
    fill(media, 20)
    time.sleep(2.6)
    with start_slow_sync(media_site, "one") as process:
        assert process.stdout is not None and process.stdout.readline() == "kept\n"
        process.send_signal(signal.SIGKILL)
    environment = media_site.environment()
    ((_, objects),) = environment.media_catalog.drafts().items()
    for stored in objects.values():
        if stored.key.endswith(".sig"):
            environment.store.delete(stored.key)
            environment.store.put(stored.key, [b"\0" * 64])
    kept = set(environment.media_catalog.shards())
    id = snapshot(environment, 5)
    manifest = environment.media_catalog.manifest(id, environment.verifier())
    assert not kept & {use.id for use in manifest.shards}


def test_every_storage_call_failing_in_turn(media_site: Site, tmp_path: Path) -> None:
    """Each failure is loud, leaves the earlier snapshot, and the next sync gives what one without failure gives."""
    media = media_site.folder / "media"
    fill(media, 4)
    environment = media_site.environment()
    earlier = snapshot(environment, 0)
    fill(media, 6)
    counted = FailingStore(environment.store)
    reference = snapshot(replace(environment, store=counted), 1)
    calls = len(counted.calls)
    assert calls > 15
    before = tree_of(media)
    for number in range(1, calls + 1):
        for path in media.iterdir():
            os.utime(path)
        failing = FailingStore(environment.store, fail_at=number)
        id = RestorePointId.make(START + timedelta(hours=2, seconds=number), "media", "x")
        try:
            take_snapshot(replace(environment, store=failing), id, force=False, progress=Silent(), sizes=SMALL)
        except HoldfastError as error:
            assert isinstance(error, StoreError), (failing.calls[number - 1], error)
        take_snapshot(environment, id, force=False, progress=Silent(), sizes=SMALL)
        assert id in environment.media_catalog.ids()
    restore_media(environment, reference, tmp_path / "reference")
    restore_media(environment, id, tmp_path / "last")
    assert {path: fact[-2] for path, fact in tree_of(tmp_path / "last").items()} == {
        path: fact[-2] for path, fact in before.items()
    }
    assert earlier in environment.media_catalog.ids()
    assert environment.media_catalog.drafts() == {}


def test_interrupt_leaves_no_snapshot(media_site: Site) -> None:
    """Ctrl-C ends the sync at once, with a word on what is kept."""
    media = media_site.folder / "media"
    with (media / "large").open("wb") as file:
        for _ in range(300):
            file.write(os.urandom(1 << 20))
    command = media_site.command("media", "sync", str(media_site.policy_file), "production")
    with subprocess.Popen(
        command, env=media_site.surroundings(), cwd=media_site.folder, stderr=subprocess.PIPE, text=True
    ) as process:
        drafts = media_site.store_folder / "shop/production/media/drafts"
        while not drafts.exists():
            time.sleep(0.01)
        time.sleep(0.1)
        process.send_signal(signal.SIGINT)
        _, said = process.communicate(timeout=20)
    assert process.returncode == 130, said
    assert "interrupted" in said and "Traceback" not in said
    assert media_site.environment().media_catalog.ids() == []
    assert not list(media_site.scratch.iterdir())

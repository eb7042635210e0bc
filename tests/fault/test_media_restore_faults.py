"""Restores of media that meet hostile listings, full disks, lost and damaged objects, failing stores and kills."""

from __future__ import annotations

import os
import random
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from failing_store import FailingStore
from fix_environment import Site
from fix_media import tree_of, write_sample
from holdfast.backup import sync_media
from holdfast.environment import Environment
from holdfast.errors import HoldfastError, RestoreError, StoreError
from holdfast.restore import restore_media
from holdfast.values.ids import RestorePointId
from media_factory import Builder


def sync(environment: Environment) -> RestorePointId:
    facts = sync_media(environment, tier="media", opened_at=datetime.now(UTC), origin="run")
    return RestorePointId.parse(facts.snapshot)


HOSTILE = [
    b"/etc/holdfast-was-here",
    b"../outside",
    b"a/../../outside",
    b"a/./b",
    b"a//b",
    b"..",
    b".",
    b"nul\0byte",
    b"link/below",
    b"n" * 256,
    b"taken/below",
]


def test_hostile_names_are_refused_and_the_others_restored(media_site: Site, tmp_path: Path) -> None:
    """Even a listing that was signed leads nowhere outside the target, by no name and no link."""
    environment = media_site.environment()
    outside = tmp_path / "outside"
    outside.mkdir()
    builder = Builder(environment)
    for path in HOSTILE:
        builder.file(path, b"hostile " + path)
    builder.line(b"link", "link", target=str(outside))
    builder.line(b"../up/", "directory", mode=0o777)
    builder.line(b"../down", "link", target="x")
    builder.file(b"taken", b"a file")
    builder.file(b"good", b"good")
    before = sorted(tmp_path.rglob("*"))
    id = builder.commit()
    target = tmp_path / "target"
    report = restore_media(environment, id, target)
    assert (target / "good").read_bytes() == b"good"
    assert not list(outside.iterdir())
    assert not Path("/etc/holdfast-was-here").exists()
    beside = [path for path in sorted(tmp_path.rglob("*")) if path not in before]
    assert all(path.is_relative_to(target) or path.is_relative_to(media_site.store_folder) for path in beside)
    refused = {fault.path for fault in report.faults}
    # "link" and "taken" are folders for what lies below them, so these two are what cannot be.
    expected = {*HOSTILE, b"../up/", b"../down", b"link", b"taken"} - {b"link/below", b"taken/below"}
    assert refused == expected


def test_hostile_contents_are_refused(media_site: Site, tmp_path: Path) -> None:
    """Offsets beyond the shard or into other files, wrong hashes, absurd parts: no file; what is sound is there."""
    environment = media_site.environment()
    builder = Builder(environment)
    good = builder.file(b"good", b"g" * 1000)
    builder.file(b"sound", b"s" * 1000)
    place = {"shard": good["shard"], "sha256": good["sha256"]}
    builder.line(b"beyond", "file", size=10, offset=1 << 40, **place)
    builder.line(b"shifted", "file", size=1000, offset=int(good["offset"]) + 1, **place)
    builder.line(b"longer", "file", size=1001, offset=good["offset"], **place)
    builder.line(b"hash", "file", size=1000, offset=good["offset"], shard=good["shard"], sha256="0" * 64)
    builder.line(b"parts", "file", size=5, offset=good["offset"], extents=[[0, 900], [3, 5]], **place)
    builder.line(b"huge", "file", size=1 << 20, offset=good["offset"], extents=[], **place)
    id = builder.commit()
    report = restore_media(environment, id, tmp_path / "to")
    found = {path.name: path.read_bytes() for path in (tmp_path / "to").iterdir()}
    assert found.pop("good", b"g" * 1000) == b"g" * 1000
    assert found == {"sound": b"s" * 1000}
    assert {fault.path for fault in report.faults} >= set(builder.lines) - {b"sound", b"good"}


def test_too_small_disk_is_told_beforehand(media_site: Site, small_disk: Path) -> None:
    """Needed and free sizes are named, and nothing is written."""
    (media_site.folder / "media/film").write_bytes(os.urandom(6_000_000))
    environment = media_site.environment()
    with pytest.raises(RestoreError, match=r"5\.7\d MiB are needed, \d\.\d+ MiB are free"):
        restore_media(environment, sync(environment), small_disk / "to")
    assert not list((small_disk / "to").iterdir())


def test_disk_that_fills_up_says_what_is_whole_and_goes_on_later(
    media_site: Site, small_disk: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is there is whole; with room, the same call completes it."""
    media = media_site.folder / "media"
    for number in range(12):
        (media / f"{number:02}.bin").write_bytes(os.urandom(300_000))
    environment = media_site.environment()
    id = sync(environment)
    target = small_disk / "to"
    (small_disk / "other").write_bytes(bytes(1_500_000))
    module = sys.modules["holdfast.restore.media"]
    monkeypatch.setattr(module._Restore, "demand_room", lambda self: None)
    with pytest.raises(RestoreError, match="disk is full") as caught:
        restore_media(environment, id, target)
    assert "Run the same command again" in str(caught.value.hint)
    whole = list(target.iterdir())
    assert 0 < len(whole) < 12
    assert all(path.read_bytes() == (media / path.name).read_bytes() for path in whole)
    (small_disk / "other").unlink()
    report = restore_media(environment, id, target)
    assert report.skipped == len(whole)
    assert {path: facts[-2] for path, facts in tree_of(target).items()} == {
        path: facts[-2] for path, facts in tree_of(media).items()
    }


def test_read_only_target_is_told_once(media_site: Site, small_disk: Path) -> None:
    """Not for each file."""
    write_sample(media_site.folder / "media")
    environment = media_site.environment()
    id = sync(environment)
    subprocess.run(["mount", "-o", "remount,ro", str(small_disk)], check=True)
    with pytest.raises(RestoreError, match="read-only") as caught:
        restore_media(environment, id, small_disk)
    assert str(id) in str(caught.value)


def two_shards(environment: Environment) -> tuple[Builder, RestorePointId]:
    """Two shards of three files each."""
    builder = Builder(environment)
    for shard in (b"one", b"two"):
        for name in (b"a", b"b", b"c"):
            builder.file(shard + b"/" + name, os.urandom(200_000))
        if shard == b"one":
            builder.next_shard()
    return builder, builder.commit()


def flip(path: Path, at: int) -> None:
    content = bytearray(path.read_bytes())
    content[at] ^= 1
    path.write_bytes(content)


DAMAGE = {
    "flipped": (lambda path: flip(path, 300_000), {b"one/b"}),
    "header": (lambda path: flip(path, 30), {b"one/a", b"one/b", b"one/c"}),
    "cut": (lambda path: os.truncate(path, 350_000), {b"one/b", b"one/c"}),
    "deleted": (lambda path: path.unlink(), {b"one/a", b"one/b", b"one/c"}),
    "appended": (lambda path: path.write_bytes(path.read_bytes() + b"x"), set()),
}


@pytest.mark.parametrize("kind", DAMAGE)
@pytest.mark.parametrize("globs", [(), ("one/*", "two/*")])
def test_damaged_shard_costs_its_damaged_files_alone(
    media_site: Site, tmp_path: Path, kind: str, globs: tuple[str, ...]
) -> None:
    """They are named, their names stay free, everything else is there."""
    environment = media_site.environment()
    builder, id = two_shards(environment)
    damage, lost = DAMAGE[kind]
    damage(media_site.store_folder / environment.keys.shard(builder.shards[0].id))
    report = restore_media(environment, id, tmp_path / "to", globs=globs)
    assert {fault.path for fault in report.faults} == lost
    restored = {os.fsencode(path.relative_to(tmp_path / "to")) for path in (tmp_path / "to").rglob("*/*")}
    assert restored == set(builder.lines) - lost


@pytest.mark.parametrize("what", ["listing", "media_manifest", "media_signature"])
def test_flipped_byte_in_the_snapshot_restores_nothing(media_site: Site, tmp_path: Path, what: str) -> None:
    """Nobody knows what such a snapshot holds: an error that names it, and no file."""
    environment = media_site.environment()
    _, id = two_shards(environment)
    path = media_site.store_folder / getattr(environment.keys, what)(id)
    for at in range(0, path.stat().st_size, max(1, path.stat().st_size // 20)):
        content = path.read_bytes()
        flip(path, at)
        with pytest.raises(HoldfastError, match=str(id)):
            restore_media(environment, id, tmp_path / "to")
        path.write_bytes(content)
    assert not (tmp_path / "to").exists()


@pytest.mark.parametrize("moment", ["before", "amid"])
def test_every_failing_call_is_loud_and_the_rerun_completes(media_site: Site, tmp_path: Path, moment: str) -> None:
    """Whichever call to the store fails: an error, nothing half-written, and running again brings all."""
    environment = media_site.environment()
    write_sample(media_site.folder / "media")
    id = sync(environment)
    whole = tree_of(media_site.folder / "media")
    counting = FailingStore(environment.store)
    restore_media(replace(environment, store=counting), id, tmp_path / "reference")
    assert len(counting.calls) >= 6
    for number in range(1, len(counting.calls) + 1):
        target = tmp_path / f"to-{number}"
        failing = FailingStore(environment.store, fail_at=number, moment=moment)  # type: ignore[arg-type]
        with pytest.raises(StoreError, match="on purpose"):
            restore_media(replace(environment, store=failing), id, target)
        if target.exists():
            contents = {path: facts[-2] for path, facts in tree_of(target).items() if len(facts) == 8}
            assert contents.items() <= {path: facts[-2] for path, facts in whole.items() if len(facts) == 8}.items()
        restore_media(environment, id, target)
        assert tree_of(target) == whole


def test_killed_restore_leaves_whole_files_alone_and_goes_on(media_site: Site) -> None:
    """SIGKILL at random moments: no hidden file, no half file, and the last run completes the tree."""
    media = media_site.folder / "media"
    write_sample(media)
    chance = random.Random(7)
    for number in range(400):
        (media / f"more-{number:03}").write_bytes(chance.randbytes(100_000))
    whole = tree_of(media)
    site, target = media_site, media_site.folder / "to"
    id = sync(site.environment())
    arguments = ("media", "restore", str(site.policy_file), "production", str(id), "--to", str(target))
    for _ in range(6):
        child = subprocess.Popen(site.command(*arguments), env=site.surroundings(), stderr=subprocess.DEVNULL)
        while child.poll() is None and not target.exists():
            time.sleep(0.005)
        time.sleep(chance.random() * 0.3)
        child.send_signal(signal.SIGKILL)
        child.wait()
        found = tree_of(target) if target.exists() else {}
        for path, facts in found.items():
            if len(facts) == 8:
                assert facts[:7] == whole[path][:7], path
            assert b".holdfast" not in path
    site.run(*arguments)
    assert tree_of(target) == whole


def test_interrupted_restore_says_that_it_goes_on(media_site: Site) -> None:
    """Ctrl-C: exit status 130 and a hint, no file without its whole content."""
    media = media_site.folder / "media"
    chance = random.Random(7)
    for number in range(300):
        (media / f"{number:03}").write_bytes(chance.randbytes(400_000))
    id = sync(media_site.environment())
    target = media_site.folder / "to"
    child = subprocess.Popen(
        media_site.command("media", "restore", str(media_site.policy_file), "production", str(id), "--to", str(target)),
        env=media_site.surroundings(),
        stderr=subprocess.PIPE,
    )
    while child.poll() is None and not (target.exists() and any(target.iterdir())):
        time.sleep(0.005)
    child.send_signal(signal.SIGINT)
    _, errors = child.communicate(timeout=60)
    if child.returncode == 0:  # it was done before the signal came
        return
    assert child.returncode == 130, errors
    assert b"Run the same command again" in errors
    assert all(path.stat().st_size == 400_000 for path in target.iterdir())


def test_memory_stays_bounded(media_site: Site, tmp_path: Path) -> None:
    """Large files, many files: neither a restore nor a check needs more than 300 MiB."""
    environment = media_site.environment()
    builder = Builder(environment)
    builder.file(b"large", os.urandom(1 << 20) * 300)
    builder.next_shard()
    for number in range(100_000):
        builder.file(b"many/%03d/file-with-a-name-%06d.jpg" % (number % 500, number), b"%d" % number)
    id = builder.commit()
    del builder
    for arguments in (["restore", str(id), "--to", str(tmp_path / "to")], ["check"]):
        command, rest = arguments[0], arguments[1:]
        code = (
            "import sys, resource, subprocess\n"
            "subprocess.run(sys.argv[1:], check=True)\n"
            "print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)"
        )
        argv = media_site.command("media", command, str(media_site.policy_file), "production", *rest)
        done = subprocess.run(
            [sys.executable, "-c", code, *argv], env=media_site.surroundings(), capture_output=True, check=True
        )
        assert int(done.stdout.splitlines()[-1]) < 300 * 1024
    assert sum(1 for _ in (tmp_path / "to/many").rglob("*.jpg")) == 100_000
    shutil.rmtree(tmp_path / "to")

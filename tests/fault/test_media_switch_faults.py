"""Switches of media that are killed anywhere, meet mount points, full disks, planted links and each other."""

from __future__ import annotations

import fcntl
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

import pytest

from fix_environment import PROJECT, Site
from fix_media import tree_of
from holdfast.environment import Environment
from holdfast.errors import RestoreError
from holdfast.restore import (
    drop_replaced_media,
    list_replaced_media,
    media_exchange,
    media_place,
    media_switch_back_state,
    media_switch_state,
    plan_media_switch,
    restore_media_beside,
    switch_media,
    switch_media_back,
)
from holdfast.values.ids import RestorePointId
from media_points import manifest_of, point_of


@pytest.fixture
def media(media_site: Site) -> Path:
    """The live directory, with a few files."""
    folder = media_site.folder / "media"
    for number in range(8):
        (folder / f"{number}.bin").write_bytes(os.urandom(150_000))
    return folder


@contextmanager
def mounted(*arguments: str) -> Iterator[None]:
    """A mount, for a while."""
    subprocess.run(["mount", *arguments], check=True)
    try:
        yield
    finally:
        subprocess.run(["umount", "--lazy", arguments[-1]], check=True)


def faults_of(environment: Environment, point: RestorePointId) -> str:
    """What a plan says against it, in one text."""
    return " ".join(plan_media_switch(environment, manifest_of(environment, point)).faults)


def test_switch_killed_at_every_line_converges(media_site: Site) -> None:
    """The live path is never missing, always wholly old or wholly new; a rerun brings both ways home."""
    killer = [sys.executable, str(PROJECT / "tests/media_switch_killer.py")]
    done = subprocess.run(
        [*killer, str(media_site.policy_file), "20261122T020000Z-nightly-4f9c2a"],
        capture_output=True,
        env=media_site.surroundings(),
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr.decode()
    assert min(json.loads(done.stdout).values()) > 50


_RESTORE = """
import sys
from pathlib import Path
from holdfast.environment import open_environment
from holdfast.restore import restore_media_beside
from holdfast.values.airflow_conn import EnvironmentConnections
from holdfast.values.ids import RestorePointId
environment = open_environment(Path(sys.argv[1]), "production", EnvironmentConnections({}))
print("begins", flush=True)
restore_media_beside(environment, RestorePointId.parse(sys.argv[2]))
"""


def test_restore_beside_killed_anywhere_goes_on(media_site: Site, media: Path) -> None:
    """What is left is never taken for whole; the live directory is not touched."""
    environment = media_site.environment()
    point = point_of(environment)
    before = tree_of(media)
    kept = f"media.before-{point}"
    for _ in range(5):
        command = [sys.executable, "-c", _RESTORE, str(media_site.policy_file), str(point)]
        child = subprocess.Popen(command, env=media_site.surroundings(), stdout=subprocess.PIPE)
        assert child.stdout is not None
        child.stdout.readline()
        time.sleep(random.uniform(0, 0.25))
        child.send_signal(signal.SIGKILL)
        child.communicate()
        assert tree_of(media) == before
    restored = restore_media_beside(environment, point)
    for child in restored.path.iterdir():
        child.unlink()
    with pytest.raises(RestoreError, match="wholly restored"):
        switch_media(environment, point, kept_as=kept)
    shutil.rmtree(restored.path)
    restored.path.mkdir(mode=0o700)
    with pytest.raises(RestoreError, match="restored"):
        switch_media(environment, point, kept_as=kept)
    assert tree_of(media) == before
    restored = restore_media_beside(environment, point)
    assert tree_of(restored.path) == before
    switch_media(environment, point, kept_as=kept)
    assert tree_of(media) == before


def test_switch_interrupted_between_its_renames_is_told(
    media_site: Site, media: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The state says so; nothing else may be switched or restored into what was live; only a rerun goes on."""
    environment = media_site.environment()
    first, second = point_of(environment), point_of(environment)
    (media / "uploaded").touch()
    live = tree_of(media)
    kept = f"media.before-{first}"
    restore_media_beside(environment, second)
    restore_media_beside(environment, first)

    def refused(folder: int, old: str, new: str) -> None:
        raise OSError(5, "Input/output error")

    with monkeypatch.context() as patched:
        patched.setattr(sys.modules["holdfast.restore.media_switch"], "rename", refused)
        with pytest.raises(RestoreError, match="input/output error"):
            switch_media(environment, first, kept_as=kept)
    assert media_switch_state(environment, first, kept_as=kept) == "exchanged"
    assert not (media / "uploaded").exists()
    assert plan_media_switch(environment, manifest_of(environment, first)).kept_as == kept
    with pytest.raises(RestoreError, match="not what an earlier run has made") as caught:
        restore_media_beside(environment, first)
    assert "finish that first" in str(caught.value.hint)
    with pytest.raises(RestoreError, match="was interrupted"):
        switch_media(environment, second, kept_as=f"media.before-{second}")
    with pytest.raises(RestoreError, match="nothing of that name was kept"):
        switch_media_back(environment, kept)
    assert list_replaced_media(environment) == ()
    done = switch_media(environment, first, kept_as=kept)
    assert done.kept is not None
    assert tree_of(done.kept) == live
    with monkeypatch.context() as patched:
        patched.setattr(sys.modules["holdfast.restore.media_switch"], "rename", refused)
        with pytest.raises(RestoreError, match="input/output error"):
            switch_media_back(environment, kept)
    assert (media_switch_back_state(environment, kept), tree_of(media)) == ("exchanged", live)
    assert switch_media_back(environment, kept).kept is not None
    assert media_switch_back_state(environment, kept) == "done"
    assert switch_media(environment, second, kept_as=f"media.before-{second}").kept is not None


def test_somebody_who_renames_in_between_is_told_what_is_where(
    media_site: Site, media: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing is renamed any more, and the inode numbers are named."""
    environment = media_site.environment()
    point = point_of(environment)
    kept = f"media.before-{point}"
    beside = restore_media_beside(environment, point).path
    old = media.stat().st_ino

    def killed(folder: int, one: str, other: str) -> None:
        media_exchange.exchange(folder, one, other)
        raise OSError(5, "Input/output error")

    with monkeypatch.context() as patched:
        patched.setattr(sys.modules["holdfast.restore.media_switch"], "exchange", killed)
        with pytest.raises(RestoreError):
            switch_media(environment, point, kept_as=kept)
    beside.rename(media_site.folder / "elsewhere")
    with pytest.raises(RestoreError, match=f"the old directory was inode {old}") as caught:
        switch_media(environment, point, kept_as=kept)
    assert "Nothing was changed" in str(caught.value.hint)
    (media_site.folder / "elsewhere").rename(beside)
    assert switch_media(environment, point, kept_as=kept).kept is not None


def test_mount_points_are_refused(media_site: Site, media: Path) -> None:
    """The directory itself or one within it: known in the plan, refused by both steps, and told what to do."""
    environment = media_site.environment()
    point = point_of(environment)
    with mounted("-t", "tmpfs", "-o", "size=1m", "tmpfs", str(media)):
        assert "it is a mount point" in faults_of(environment, point)
        with pytest.raises(RestoreError, match="it is a mount point"):
            restore_media_beside(environment, point)
    other = media_site.folder / "other"
    other.mkdir()
    with mounted("--bind", str(other), str(media)):
        assert "it is a mount point" in faults_of(environment, point)
    restore_media_beside(environment, point)
    within = media / "with space"
    within.mkdir()
    with mounted("--bind", str(other), str(within)):
        assert f"{within} in it is a mount point" in faults_of(environment, point)
        with pytest.raises(RestoreError, match="in it is a mount point"):
            switch_media(environment, point, kept_as=f"media.before-{point}")
    assert faults_of(environment, point) == ""


def test_replaced_media_with_a_mount_in_them_are_left(media_site: Site, media: Path) -> None:
    """What is mounted there may be anything: it is named, and goes once it is unmounted."""
    environment = media_site.environment()
    point = point_of(environment)
    (media / "within").mkdir()
    restore_media_beside(environment, point)
    kept = switch_media(environment, point, kept_as=f"media.before-{point}").kept
    assert kept is not None
    (replaced,) = list_replaced_media(environment)
    late = replaced.keep_until + timedelta(days=1)
    with mounted("--bind", str(media), str(kept / "within")):
        found = drop_replaced_media(environment, now=late)
        assert found.dropped == ()
        assert "is a mount point" in found.faults[0]
    assert (media / "0.bin").is_file()
    assert drop_replaced_media(environment, now=late).dropped == (replaced,)


def test_removal_that_was_interrupted_goes_on_and_is_never_live_again(media_site: Site, media: Path) -> None:
    """Half a directory is not switched back; the next removal finishes it whatever its age."""
    environment = media_site.environment()
    point = point_of(environment)
    restore_media_beside(environment, point)
    kept = switch_media(environment, point, kept_as=f"media.before-{point}").kept
    assert kept is not None
    (replaced,) = list_replaced_media(environment)
    shielded = kept / "0.bin"
    subprocess.run(["chattr", "+i", str(shielded)], check=True)
    try:
        found = drop_replaced_media(environment, now=replaced.keep_until)
        assert (found.dropped, "not permitted" in found.faults[0]) == ((), True)
        with pytest.raises(RestoreError, match="being removed"):
            switch_media_back(environment, kept.name)
    finally:
        subprocess.run(["chattr", "-i", str(shielded)], check=True)
    assert len(drop_replaced_media(environment, now=replaced.replaced_at).dropped) == 1
    assert not kept.exists()


def test_too_small_disk_is_known_in_the_plan(media_site: Site, small_disk: Path) -> None:
    """What is needed and free is named; a rerun needs no room for what already stands there."""
    live = small_disk / "media"
    live.mkdir()
    (live / "film").write_bytes(os.urandom(1_500_000))
    media_site.edit_policy(f"file://{media_site.folder}/media", f"file://{live}")
    environment = media_site.environment()
    point = point_of(environment)
    (small_disk / "other").write_bytes(bytes(1_500_000))
    assert "1.43 MiB are needed beside it" in faults_of(environment, point)
    with pytest.raises(RestoreError, match="are needed"):
        restore_media_beside(environment, point)
    (small_disk / "other").unlink()
    restore_media_beside(environment, point)
    assert faults_of(environment, point) == ""
    (small_disk / "other").write_bytes(bytes(1_000_000))
    with pytest.raises(OSError, match="No space"):
        (small_disk / "rest").write_bytes(bytes(1_000_000))
    with pytest.raises(RestoreError, match="no space left") as caught:
        switch_media(environment, point, kept_as=f"media.before-{point}")
    assert "it goes on" in str(caught.value.hint)
    assert (live / "film").stat().st_size == 1_500_000
    (small_disk / "rest").unlink()
    assert switch_media(environment, point, kept_as=f"media.before-{point}").kept is not None


def test_read_only_parent_is_a_fault(media_site: Site, small_disk: Path) -> None:
    """Told in the plan."""
    (small_disk / "media").mkdir()
    media_site.edit_policy(f"file://{media_site.folder}/media", f"file://{small_disk}/media")
    environment = media_site.environment()
    point = point_of(environment)
    subprocess.run(["mount", "-o", "remount,ro", str(small_disk)], check=True)
    assert "is read-only" in faults_of(environment, point)


def test_planted_links_and_directories_are_refused(media_site: Site, media: Path, tmp_path: Path) -> None:
    """Nothing is written where they lead, and nothing strange becomes live."""
    outside = tmp_path / "outside"
    outside.mkdir()
    environment = media_site.environment()
    point = point_of(environment)
    beside, kept = media_site.folder / f".media.restored-{point}", f"media.before-{point}"
    beside.symlink_to(outside)
    for act in (
        lambda: restore_media_beside(environment, point),
        lambda: switch_media(environment, point, kept_as=kept),
    ):
        with pytest.raises(RestoreError, match="symbolic link"):
            act()
    beside.unlink()
    beside.mkdir()
    (beside / "strange").touch()
    with pytest.raises(RestoreError, match="not what an earlier run has made"):
        restore_media_beside(environment, point)
    shutil.rmtree(beside)
    restore_media_beside(environment, point)
    beside.rename(tmp_path / "restored")
    shutil.copytree(tmp_path / "restored", beside)
    with pytest.raises(RestoreError, match="not the directory that was restored"):
        switch_media(environment, point, kept_as=kept)
    shutil.rmtree(beside)
    (tmp_path / "restored").rename(beside)
    record = media_site.folder / f".{kept}.switch.json"
    record.symlink_to(outside / "record")
    with pytest.raises(RestoreError, match="too many levels"):
        switch_media(environment, point, kept_as=kept)
    record.unlink()
    (media_site.folder / kept).symlink_to(outside)
    with pytest.raises(RestoreError, match="symbolic link"):
        switch_media(environment, point, kept_as=kept)
    (media_site.folder / kept).unlink()
    switch_media(environment, point, kept_as=kept)
    assert list(outside.iterdir()) == []


def test_records_that_another_user_wrote_are_refused(media_site: Site, media: Path) -> None:
    """Who may write into the folder cannot tell us what to remove or to make live."""
    environment = media_site.environment()
    point = point_of(environment)
    restore_media_beside(environment, point)
    switch_media(environment, point, kept_as=f"media.before-{point}")
    record = media_site.folder / f".media.before-{point}.switch.json"
    (replaced,) = list_replaced_media(environment)
    for user, mode in ((12345, 0o600), (0, 0o666)):
        os.chown(record, user, -1)
        record.chmod(mode)
        with pytest.raises(RestoreError, match="not ours"):
            switch_media_back(environment, replaced.name)
        assert drop_replaced_media(environment, now=replaced.keep_until).dropped == ()
    record.chmod(0o600)
    record.write_bytes(b"{")
    with pytest.raises(RestoreError, match="malformed"):
        switch_media_back(environment, replaced.name)


def test_two_at_once_the_second_refuses(media_site: Site, media: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whether the first restores beside or switches."""
    environment = media_site.environment()
    point = point_of(environment)
    beside = restore_media_beside(environment, point).path
    monkeypatch.setattr(media_place, "_PATIENCE_S", 0.1)
    for held in (beside, media_site.folder):
        folder = os.open(held, os.O_RDONLY)
        fcntl.flock(folder, fcntl.LOCK_EX)
        for act in (
            lambda: restore_media_beside(environment, point),
            lambda: switch_media(environment, point, kept_as=f"media.before-{point}"),
        ):
            with pytest.raises(RestoreError, match="another restore is at work"):
                act()
        os.close(folder)
    assert switch_media(environment, point, kept_as=f"media.before-{point}").kept is not None


def test_user_who_cannot_give_files_away_is_told(
    media_site: Site, media: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What such a user restored would not be the application's to write."""
    environment = media_site.environment()
    point = point_of(environment)
    os.chown(media, 12345, 12345)
    monkeypatch.setattr(os, "geteuid", lambda: 54321)
    assert "user 54321 cannot give files away: run this as user 12345 or as root" in faults_of(environment, point)


def test_file_system_without_exchange_is_told_before_anything_is_restored(
    media_site: Site, media: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The kernel answers EINVAL there, as it does for flags that it does not know."""
    environment = media_site.environment()
    point = point_of(environment)
    monkeypatch.setattr(media_exchange, "_EXCHANGE", 1 << 20)
    with pytest.raises(RestoreError, match="cannot change places in one step") as caught:
        restore_media_beside(environment, point)
    assert "stop the application" in str(caught.value.hint)
    assert list((media_site.folder / f".media.restored-{point}").iterdir()) == []

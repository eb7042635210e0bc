"""Media of a restore point restored beside the live directory, switched, switched back, and what is kept of them."""

from __future__ import annotations

import os
import shutil
import stat
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from fix_environment import Site
from fix_media import tree_of, write_sample
from holdfast.environment import Environment
from holdfast.errors import IntegrityError, RestoreError, UsageError
from holdfast.restore import (
    drop_replaced_media,
    list_replaced_media,
    media_switch_back_state,
    media_switch_state,
    plan_media_switch,
    restore_media_beside,
    switch_media,
    switch_media_back,
)
from holdfast.values.duration import Duration
from holdfast.values.ids import RestorePointId
from media_factory import Builder
from media_points import manifest_of, pair, point_of
from point_factory import make_manifest

APP_USER = 12345


@pytest.fixture
def media(media_site: Site) -> Path:
    """The live directory, with one file."""
    folder = media_site.folder / "media"
    (folder / "kept.txt").write_bytes(b"as it was")
    return folder


def switched(environment: Environment, point: RestorePointId) -> str:
    """Restore beside and switch, as a plan says; the name that the replaced one has."""
    plan = plan_media_switch(environment, manifest_of(environment, point))
    assert plan.faults == ()
    restore_media_beside(environment, point)
    assert switch_media(environment, point, kept_as=plan.kept_as).was_done is False
    return plan.kept_as


def beside_media(site: Site) -> set[str]:
    """What stands in the folder of the live directory and begins with its name."""
    return {path.name for path in site.folder.iterdir() if "media" in path.name}


def test_switch_makes_the_restored_live_and_keeps_the_other(media_site: Site, media: Path) -> None:
    """The tree is the snapshot's, owner and mode are the live directory's, what was uploaded since is kept."""
    write_sample(media)
    environment = media_site.environment()
    point = point_of(environment)
    before = tree_of(media)
    (media / "uploaded.bin").write_bytes(bytes(5000))
    (media / "kept.txt").unlink()
    (media / "zero").write_bytes(b"not any more")
    live = tree_of(media)
    os.chown(media, APP_USER, APP_USER + 1)
    media.chmod(0o2770)
    os.setxattr(media, "user.team", b"shop")
    plan = plan_media_switch(environment, manifest_of(environment, point))
    assert plan == replace(plan_media_switch(environment, manifest_of(environment, point)), notes=plan.notes)
    assert (plan.is_possible, plan.target, plan.inode) == (True, str(media), media.stat().st_ino)
    assert plan.kept_as == f"media.before-{point}"
    assert any("1 files (4.88 KiB) that are live now are not in the snapshot" in note for note in plan.notes)
    assert "1 files have another size in the snapshot." in plan.notes
    assert "1 files come back that are not live now." in plan.notes
    assert beside_media(media_site) == {"media"}
    restored = restore_media_beside(environment, point)
    assert (tree_of(restored.path), tree_of(media)) == (before, live)
    again = plan_media_switch(environment, manifest_of(environment, point))
    assert (again.kept_as, again.inode, again.faults) == (plan.kept_as, plan.inode, ())
    assert media_switch_state(environment, point, kept_as=plan.kept_as) == "not begun"
    done = switch_media(environment, point, kept_as=plan.kept_as)
    assert done.kept == media_site.folder / plan.kept_as
    assert (tree_of(media), tree_of(done.kept)) == (before, live)
    status = media.stat()
    assert (status.st_uid, status.st_gid, stat.S_IMODE(status.st_mode)) == (APP_USER, APP_USER + 1, 0o2770)
    assert os.getxattr(media, "user.team") == b"shop"
    assert media_switch_state(environment, point, kept_as=plan.kept_as) == "done"
    rerun = switch_media(environment, point, kept_as=plan.kept_as)
    assert (rerun.was_done, rerun.switched_at, tree_of(media)) == (True, done.switched_at, before)
    assert beside_media(media_site) == {"media", plan.kept_as, f".{plan.kept_as}.switch.json"}


def test_switch_back_and_forth_again(media_site: Site, media: Path) -> None:
    """The restored one is kept in its turn; both ways can be gone again, and every rerun changes nothing."""
    environment = media_site.environment()
    point = point_of(environment)
    (media / "uploaded").write_bytes(b"since")
    kept = switched(environment, point)
    (media / "later").write_bytes(b"after the switch")
    assert media_switch_back_state(environment, kept) == "not begun"
    back = switch_media_back(environment, kept)
    assert media_switch_back_state(environment, kept) == "done"
    assert {path.name for path in media.iterdir()} == {"kept.txt", "uploaded"}
    assert back.kept == media_site.folder / f"media.restored-{point}"
    assert {path.name for path in back.kept.iterdir()} == {"kept.txt", "later"}
    assert switch_media_back(environment, kept).was_done
    with pytest.raises(RestoreError, match=r"nothing of .* is restored beside"):
        switch_media(environment, point, kept_as=kept)
    forth = switch_media_back(environment, back.kept.name)
    assert forth.kept is not None
    assert (forth.kept.name, (media / "later").is_file()) == (kept, True)
    assert switched(environment, point) == f"{kept}-2"
    assert not (media / "later").exists()
    names = {replaced.name for replaced in list_replaced_media(environment)}
    assert names == {kept, f"{kept}-2"}
    second = switch_media_back(environment, f"{kept}-2")
    assert second.kept is not None
    assert second.kept.name == f"media.restored-{point}"
    assert (media / "later").is_file()


def test_names_that_are_none_of_ours_are_refused(media_site: Site, media: Path) -> None:
    """Neither paths nor other directories can be given as what is kept."""
    environment = media_site.environment()
    point = point_of(environment)
    restore_media_beside(environment, point)
    (media_site.folder / f"media.before-{point}").mkdir()
    for name in ("media", "../media", f"media.before-{point}/..", "store", "", f"media.before-{point}\n"):
        with pytest.raises(UsageError, match="kept media"):
            switch_media(environment, point, kept_as=name)
        with pytest.raises(UsageError, match="kept media"):
            switch_media_back(environment, name)
    with pytest.raises(RestoreError, match="the name is taken"):
        switch_media(environment, point, kept_as=f"media.before-{point}")
    with pytest.raises(RestoreError, match="nothing of that name was kept"):
        switch_media_back(environment, f"media.before-{point}")
    assert plan_media_switch(environment, manifest_of(environment, point)).kept_as == f"media.before-{point}-2"
    assert switch_media(environment, point, kept_as=f"media.before-{point}-2").kept is not None


def test_restore_beside_goes_on_and_mends(media_site: Site, media: Path) -> None:
    """A rerun reads what stands there, replaces what is damaged, and fetches what is missing."""
    for number in range(6):
        (media / f"{number}.bin").write_bytes(os.urandom(2000))
    environment = media_site.environment()
    point = point_of(environment)
    first = restore_media_beside(environment, point)
    (first.path / "3.bin").write_bytes(b"x" * 2000)
    (first.path / "4.bin").unlink()
    (first.path / ".holdfast-0123456789abcdef").write_bytes(b"half-written")
    again = restore_media_beside(environment, point)
    assert (again.skipped, again.files) == (5, 7)
    assert tree_of(first.path) == tree_of(media)
    (first.path / "strange").write_bytes(b"whose?")
    with pytest.raises(RestoreError, match="8 files are there instead of 7"):
        restore_media_beside(environment, point)
    with pytest.raises(RestoreError, match="not wholly restored"):
        switch_media(environment, point, kept_as=f"media.before-{point}")


def test_damage_in_the_store_stops_before_the_switch(media_site: Site, media: Path) -> None:
    """The paths are named, the live directory is as it was, and nothing can be switched."""
    environment = media_site.environment()
    builder = Builder(environment)
    builder.file(b"good", b"g" * 100)
    place = builder.file(b"bad", b"b" * 100)
    builder.line(b"bad", "file", size=100, shard=place["shard"], offset=place["offset"], sha256="0" * 64)
    point = pair(environment, builder.commit())
    with pytest.raises(IntegrityError, match="1 paths could not be restored: bad: "):
        restore_media_beside(environment, point)
    with pytest.raises(RestoreError, match="not wholly restored"):
        switch_media(environment, point, kept_as=f"media.before-{point}")
    assert [path.name for path in media.iterdir()] == ["kept.txt"]
    shard = next((media_site.store_folder / "shop/production/media/shards").iterdir())
    shard.write_bytes(shard.read_bytes()[:-1])
    assert "shard" in plan_media_switch(environment, manifest_of(environment, point)).faults[0]
    with pytest.raises(IntegrityError, match="shard"):
        restore_media_beside(environment, point)


def test_directory_behind_a_link_is_switched_itself(media_site: Site, media: Path, tmp_path: Path) -> None:
    """The link stays; the plan says where it leads."""
    real = tmp_path / "volume/uploads"
    real.parent.mkdir()
    media.rename(real)
    media.symlink_to(real)
    environment = media_site.environment()
    point = point_of(environment)
    (real / "uploaded").write_bytes(b"since")
    plan = plan_media_switch(environment, manifest_of(environment, point))
    assert (plan.target, plan.kept_as) == (str(real), f"uploads.before-{point}")
    assert any("leads through a symbolic link" in note for note in plan.notes)
    assert switched(environment, point) == plan.kept_as
    assert media.is_symlink()
    assert {path.name for path in media.iterdir()} == {"kept.txt"}
    assert (real.parent / plan.kept_as / "uploaded").is_file()


def test_missing_directory_comes_back(media_site: Site, media: Path) -> None:
    """It is renamed in, with the owner of what is in it, and nothing is kept."""
    os.chown(media / "kept.txt", APP_USER, APP_USER)
    environment = media_site.environment()
    point = point_of(environment)
    shutil.rmtree(media)
    plan = plan_media_switch(environment, manifest_of(environment, point))
    assert (plan.inode, plan.faults) == (None, ())
    assert any("does not exist" in note for note in plan.notes)
    restore_media_beside(environment, point)
    assert switch_media(environment, point, kept_as=plan.kept_as).kept is None
    assert (media / "kept.txt").read_bytes() == b"as it was"
    assert media.stat().st_uid == APP_USER
    assert switch_media(environment, point, kept_as=plan.kept_as).was_done
    assert list_replaced_media(environment) == ()


def test_files_of_a_bucket_belong_to_the_application(media_site: Site, media: Path) -> None:
    """A snapshot of a bucket tells of no owner: the live directory's is taken."""
    environment = media_site.environment()
    builder = Builder(environment)
    builder.file(b"a/b", b"content")
    os.chown(media, APP_USER, APP_USER)
    restored = restore_media_beside(environment, pair(environment, builder.commit(source="s3://bucket/uploads")))
    assert {path.stat().st_uid for path in (restored.path, restored.path / "a", restored.path / "a/b")} == {APP_USER}


def test_faults_say_what_to_do_instead(media_site: Site, media: Path) -> None:
    """A restore point or policy without media, a bucket, a file in the directory's place."""
    environment = media_site.environment()
    point = point_of(environment)
    bare = make_manifest(RestorePointId.make(datetime.now(UTC), "nightly", "bare"))
    assert "restore the database alone" in plan_media_switch(environment, bare).faults[0]
    with pytest.raises(UsageError, match="no media section"):
        nothing = environment.policy.model_copy(update={"media": None})
        restore_media_beside(replace(environment, policy=nothing), point)
    media_site.edit_policy(f"file://{media}", "s3://uploads/shop")
    bucket = media_site.environment()
    plan = plan_media_switch(bucket, manifest_of(bucket, point))
    assert (plan.target, plan.is_possible) == ("s3://uploads/shop", False)
    assert "is a bucket" in plan.faults[0]
    assert "holdfast media restore" in plan.faults[0]
    for act in (list_replaced_media, lambda at: restore_media_beside(at, point)):
        with pytest.raises(UsageError, match="is a bucket"):
            act(bucket)
    shutil.rmtree(media)
    media.write_bytes(b"a file")
    assert "it is no directory" in plan_media_switch(environment, manifest_of(environment, point)).faults[0]


def test_replaced_media_go_in_their_time(media_site: Site, media: Path, tmp_path: Path) -> None:
    """Not before; no link in them is followed; what only bears such a name is left."""
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "precious").write_bytes(b"!")
    environment = media_site.environment()
    point = point_of(environment)
    (media / "link").symlink_to(outside)
    kept = switched(environment, point)
    stranger = media_site.folder / f"media.before-{point}-7"
    stranger.mkdir()
    (media_site.folder / f"media.before-{point}-8").symlink_to(outside)
    (replaced,) = list_replaced_media(environment)
    assert (replaced.name, replaced.restore_point) == (kept, str(point))
    assert replaced.keep_until - replaced.replaced_at == timedelta(days=7)
    assert drop_replaced_media(environment, now=replaced.keep_until - timedelta(seconds=1)).dropped == ()
    soon = replaced.replaced_at + timedelta(hours=2)
    assert drop_replaced_media(environment, now=soon, older_than=Duration.parse("3h")).dropped == ()
    gone = drop_replaced_media(environment, now=replaced.keep_until)
    assert (gone.dropped, gone.faults) == ((replaced,), ())
    assert (outside / "precious").is_file()
    assert beside_media(media_site) == {"media", stranger.name, f"media.before-{point}-8"}
    assert list_replaced_media(environment) == ()
    with pytest.raises(RestoreError, match="nothing of that name was kept"):
        switch_media_back(environment, kept)

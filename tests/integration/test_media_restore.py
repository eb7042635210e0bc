"""Media restored from real stores: equal trees, parts of them, single files, and what stands there already."""

# Paths are bytes here, which pathlib does not take.
# ruff: noqa: PTH101, PTH103, PTH118, PTH120, PTH211

from __future__ import annotations

import os
import resource
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fix_environment import Site
from fix_media import tree_of, write_sample
from holdfast.backup import sync_media
from holdfast.crypto.keyfiles import new_keys
from holdfast.environment import Environment
from holdfast.errors import NoIdentityMatch, ObjectMissing, SignatureError, UsageError
from holdfast.restore import media_files, restore_media
from holdfast.values.ids import RestorePointId
from media_factory import Builder


def sync(environment: Environment, origin: str = "run") -> RestorePointId:
    """Take a snapshot of the site's media folder."""
    facts = sync_media(environment, tier="media", opened_at=datetime.now(UTC), origin=origin)
    return RestorePointId.parse(facts.snapshot)


def shard_files(site: Site) -> list[Path]:
    return sorted((site.store_folder / "shop/production/media/shards").iterdir())


def allocated(path: Path) -> int:
    return path.stat().st_blocks * 512


@pytest.fixture
def target(tmp_path: Path) -> Iterator[Path]:
    """A folder to restore into that does not exist yet."""
    yield tmp_path / "restored"


def test_whole_snapshot_comes_back_equal(any_media_site: Site, target: Path) -> None:
    """Names, links of both kinds, modes, times, owners, empty things and holes are as they were."""
    media = any_media_site.folder / "media"
    write_sample(media)
    environment = any_media_site.environment()
    report = restore_media(environment, sync(environment), target)
    assert report.faults == ()
    assert tree_of(target) == tree_of(media)
    assert (target / "linked.mp4").samefile(target / "courses/7/intro.mp4")
    assert allocated(target / "sparse.img") < 1 << 20
    assert report.hard_links == 1
    again = restore_media(environment, sync(environment), target)
    assert (again.files, again.hard_links, again.links, again.read_bytes) == (0, 0, 0, 0)
    assert again.skipped == report.files + report.hard_links + report.links


NAMES = st.binary(min_size=1, max_size=12).filter(lambda name: not set(name) & {0, 47} and name not in (b".", b".."))
PATHS = st.lists(NAMES, min_size=1, max_size=4).map(b"/".join)
CONTENTS = st.one_of(
    st.binary(max_size=40), st.integers(0, 200_000).map(lambda size: bytes(range(251)) * (size // 251))
)
KINDS = st.one_of(
    st.tuples(st.just("file"), CONTENTS, st.integers(0, 0o7777)),
    st.tuples(st.just("folder"), st.just(b""), st.integers(0o700, 0o777)),
    st.tuples(st.just("link"), NAMES, st.just(0)),
    st.tuples(st.just("twin"), st.just(b""), st.just(0)),
)


def plant(root: bytes, entries: dict[bytes, tuple[str, bytes, int]]) -> None:
    """Make what fits into a tree, in the order given; a path that another one makes impossible is left out."""
    last: bytes | None = None
    for path, (kind, content, mode) in entries.items():
        where = os.path.join(root, path)
        try:
            os.makedirs(where if kind == "folder" else os.path.dirname(where), exist_ok=True)
            if os.path.lexists(where):
                continue
            if kind == "file":
                Path(os.fsdecode(where)).write_bytes(content)
                os.chmod(where, mode)
                os.utime(where, ns=(0, mode * 1_000_003))
                last = where
            elif kind == "link":
                os.symlink(content, where)
            elif kind == "twin" and last is not None:
                os.link(last, where)
        except (FileExistsError, NotADirectoryError):
            continue


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(first=st.dictionaries(PATHS, KINDS, max_size=12), second=st.dictionaries(PATHS, KINDS, max_size=6))
def test_random_trees_and_edits_come_back_equal(
    media_site: Site, first: dict[bytes, tuple[str, bytes, int]], second: dict[bytes, tuple[str, bytes, int]]
) -> None:
    """Whatever a tree is, and whatever is done to it afterwards: each snapshot restores as it was."""
    media = media_site.folder / "media"
    shutil.rmtree(media)
    media.mkdir()
    (media / "always").write_bytes(b"there")
    environment = media_site.environment()
    states = []
    for number, entries in enumerate([first, second]):
        plant(os.fsencode(media), entries)
        states.append((sync(environment, f"{number} {os.urandom(8).hex()}"), tree_of(media)))
    for id, tree in states:
        with tempfile.TemporaryDirectory(dir=media_site.folder) as folder:
            report = restore_media(environment, id, Path(folder) / "to")
            assert report.faults == ()
            assert tree_of(Path(folder) / "to") == tree


def test_patterns_restore_what_they_mean(media_site: Site, target: Path) -> None:
    """A folder brings all below it, a pattern what fits, several their sum; nothing else appears."""
    media = media_site.folder / "media"
    write_sample(media)
    environment = media_site.environment()
    id = sync(environment)
    report = restore_media(environment, id, target, globs=["courses/7", "*.img", "**/n*", "zero"])
    assert report.faults == ()
    whole, part = tree_of(media), tree_of(target)
    meant = {path for path in whole if path.startswith(b"courses/7") or path in (b"sparse.img", b"zero")}
    meant |= {path for path in whole if path.rpartition(b"/")[2].startswith(b"n")}
    folders = {path.rpartition(b"/")[0] for path in meant} - {b""}
    assert part.keys() == meant | folders
    for path in meant:
        assert part[path][:-1] == whole[path][:-1]
    with pytest.raises(UsageError, match=r"NOTES\.txt"):
        restore_media(environment, id, target, globs=["courses/7/NOTES.txt"])


def test_odd_names_can_be_asked_for(media_site: Site, target: Path) -> None:
    """A name with a star is reached by escaping it, one that is no UTF-8 by its bytes."""
    write_sample(media_site.folder / "media")
    environment = media_site.environment()
    report = restore_media(environment, sync(environment), target, globs=["odd \udcff\n/a\\*b\\\\c[1]?"])
    assert report.files == 1
    assert [path for path in tree_of(target) if path.endswith(b"?")] == [b"odd \xff\n/a*b\\c[1]?"]


def test_one_file_of_a_large_shard_reads_less_than_a_mebibyte(s3_media_site: Site, target: Path) -> None:
    """Manifest, listing and shard together: a small file of a 256 MiB shard on S3 costs no more than that."""
    environment = s3_media_site.environment()
    builder = Builder(environment)
    wanted = os.urandom(100 << 10)
    builder.file(b"deep/video.mp4", os.urandom(1 << 20) * 200)
    builder.file(b"deep/wanted.jpg", wanted)
    builder.file(b"deep/later.mp4", os.urandom(1 << 20) * 55)
    for number in range(20_000):
        builder.file(b"many/%d/file-%05d" % (number % 100, number), b"%d" % (number % 7), inode=number, links=1)
    id = builder.commit()
    assert environment.media_catalog.manifest(id, environment.verifier()).shards[0].bytes > 255 << 20
    counting = Counting(environment.store)
    restored = restore_media(replace_store(environment, counting), id, target, globs=["deep/wanted.jpg"])
    assert restored.files == 1
    assert (target / "deep/wanted.jpg").read_bytes() == wanted
    assert counting.read_bytes < 1 << 20


class Counting:
    """A store that counts the bytes that are read from it."""

    def __init__(self, inner: object) -> None:
        self._inner = inner
        self.read_bytes = 0

    def __getattr__(self, name: str) -> object:
        return getattr(self._inner, name)

    def get(self, key: str) -> bytes:
        found: bytes = self._inner.get(key)  # type: ignore[attr-defined]
        self.read_bytes += len(found)
        return found

    def read_range(self, key: str, offset: int, length: int) -> bytes:
        found: bytes = self._inner.read_range(key, offset, length)  # type: ignore[attr-defined]
        self.read_bytes += len(found)
        return found

    def stream(self, key: str) -> Iterator[bytes]:
        for piece in self._inner.stream(key):  # type: ignore[attr-defined]
            self.read_bytes += len(piece)
            yield piece


def replace_store(environment: Environment, store: object) -> Environment:
    """The same environment with another store."""
    return replace(environment, store=store)  # type: ignore[arg-type]


def test_what_differs_is_left_and_named_unless_overwritten(media_site: Site, target: Path) -> None:
    """A file, link or folder that stands in the way is not touched; --overwrite replaces all but full folders."""
    media = media_site.folder / "media"
    write_sample(media)
    environment = media_site.environment()
    id = sync(environment)
    restore_media(environment, id, target)
    (target / "zero").write_bytes(b"mine")
    (target / "courses/file-02.bin").write_bytes(b"x" * (target / "courses/file-02.bin").stat().st_size)
    (target / "sym").unlink()
    (target / "sym").write_bytes(b"a file")
    (target / "linked.mp4").unlink()
    (target / "linked.mp4").symlink_to("zero")
    (target / "dangling").unlink()
    (target / "dangling").mkdir()
    (target / "courses/file-03.bin").unlink()
    (target / "courses/file-03.bin/full").mkdir(parents=True)
    (target / "courses/file-04.bin").unlink()
    (target / "courses/file-04.bin").mkdir()
    shutil.rmtree(target / "empty")
    (target / "empty").write_bytes(b"a file where a folder was")
    differing = tree_of(target)
    report = restore_media(environment, id, target)
    reasons = {fault.path: fault.reason for fault in report.faults}
    courses = [b"courses/file-%02d.bin" % number for number in (2, 3, 4)]
    assert sorted(reasons) == [*courses, b"dangling", b"empty", b"empty/within", b"linked.mp4", b"sym", b"zero"]
    assert "not empty" in reasons[b"courses/file-03.bin"]
    kept = tree_of(target)
    assert {**kept, b"courses": None} == {**differing, b"courses": None}  # which has its own time again
    report = restore_media(environment, id, target, overwrite=True)
    assert [(fault.path, "not empty" in fault.reason) for fault in report.faults] == [(b"courses/file-03.bin", True)]
    shutil.rmtree(target / "courses/file-03.bin")
    assert restore_media(environment, id, target).faults == ()
    assert tree_of(target) == tree_of(media)
    assert not [path for path in tree_of(target) if b".holdfast" in path]


def test_skipped_files_get_their_marks(media_site: Site, target: Path) -> None:
    """The same bytes with another mode, time or owner, or no hard link any more: mended without writing them again."""
    media = media_site.folder / "media"
    write_sample(media)
    environment = media_site.environment()
    id = sync(environment)
    restore_media(environment, id, target)
    (target / "courses/7/notes.txt").chmod(0o600)
    os.utime(target / "courses/file-05.bin")
    os.chown(target / "courses/file-06.bin", 12345, 12345)
    os.utime(target / "sym", follow_symlinks=False)
    (target / "linked.mp4").unlink()
    shutil.copyfile(target / "courses/7/intro.mp4", target / "linked.mp4")
    report = restore_media(environment, id, target)
    assert report.faults == ()
    assert (report.files, report.hard_links, report.read_bytes) == (0, 1, 0)
    assert tree_of(target) == tree_of(media)


def test_overwritten_file_is_never_missing(media_site: Site, target: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever stands under the name until the last moment is the old file: the new one takes its place in one step."""
    media = media_site.folder / "media"
    (media / "file").write_bytes(b"new")
    environment = media_site.environment()
    id = sync(environment)
    target.mkdir()
    (target / "file").write_bytes(b"old")
    standing = []
    real = os.rename

    def rename(*arguments: object, **more: object) -> None:
        standing.append((target / "file").read_bytes())
        real(*arguments, **more)  # type: ignore[arg-type]

    monkeypatch.setattr(media_files.os, "rename", rename)
    assert restore_media(environment, id, target, overwrite=True).faults == ()
    assert standing == [b"old"]
    assert [path.name for path in target.iterdir()] == ["file"]
    assert (target / "file").read_bytes() == b"new"


def test_links_in_the_target_are_never_followed(media_site: Site, target: Path, tmp_path: Path) -> None:
    """A folder of the target that is a link leads nowhere: what would lie in it is named, the rest restored."""
    media = media_site.folder / "media"
    write_sample(media)
    environment = media_site.environment()
    id = sync(environment)
    outside = tmp_path / "outside"
    outside.mkdir()
    target.mkdir()
    (target / "courses").symlink_to(outside)
    report = restore_media(environment, id, target)
    assert not list(outside.iterdir())
    assert all(fault.path.startswith((b"courses", b"linked.mp4")) for fault in report.faults)
    assert report.fault_count > 40
    assert (target / "zero").exists()
    assert restore_media(environment, id, target, overwrite=True).faults == ()
    assert tree_of(target) == tree_of(media)
    assert not list(outside.iterdir())


def test_snapshot_that_cannot_be_trusted_is_not_restored(media_site: Site, target: Path) -> None:
    """Missing, signed by others, locked to others: nothing is written."""
    write_sample(media_site.folder / "media")
    environment = media_site.environment()
    id = sync(environment)
    with pytest.raises(ObjectMissing, match="not found"):
        restore_media(environment, RestorePointId.parse("20200101T000000Z-media-000000"), target)
    signature = media_site.store_folder / environment.keys.media_signature(id)
    content = signature.read_bytes()
    signature.write_bytes(bytes(64))
    with pytest.raises(SignatureError):
        restore_media(environment, id, target)
    signature.write_bytes(content)
    media_site.edit_policy(f"      signing_key_file: {media_site.keys}/signing.pem\n", "")
    new_keys(media_site.folder / "other")
    shutil.copy2(media_site.folder / "other/identity.txt", media_site.keys)
    with pytest.raises(NoIdentityMatch, match=str(id)):
        restore_media(media_site.environment(), id, target)
    assert not target.exists()


def test_objects_without_modes_get_sane_ones(media_site: Site, target: Path) -> None:
    """A bucket tells neither modes nor folders; and some of its keys cannot be files."""
    environment = media_site.environment()
    builder = Builder(environment)
    builder.file(b"a/b.txt", b"text", mtime_ns=1_600_000_000_000_000_000)
    builder.file(b"folder/", b"")
    builder.file(b"slash/", b"bytes")
    builder.file(b"both", b"file")
    builder.file(b"both/below", b"below")
    report = restore_media(environment, builder.commit(), target)
    assert [fault.path for fault in report.faults] == [b"both", b"slash/"]
    assert "a file and of a folder at once" in report.faults[0].reason
    again = restore_media(environment, RestorePointId.parse(report.snapshot), target, overwrite=True)
    assert again.faults == report.faults
    assert (target / "a/b.txt").stat().st_mode & 0o7777 == 0o644
    assert (target / "a").stat().st_mode & 0o7777 == 0o755
    assert (target / "folder").is_dir()
    assert (target / "both/below").read_bytes() == b"below"
    assert (target / "a/b.txt").stat().st_mtime == 1_600_000_000


def test_contents_are_copied_to_every_path(media_site: Site, target: Path) -> None:
    """De-duplicated files become files of their own again, large ones too, also if the first cannot be written."""
    environment = media_site.environment()
    media = media_site.folder / "media"
    large, small = os.urandom(6_000_000), b"small"
    for number in range(3):
        (media / f"large-{number}").write_bytes(large)
        (media / f"small-{number}").write_bytes(small)
    id = sync(environment)
    target.mkdir()
    (target / "large-0").mkdir()
    (target / "small-0").mkdir()
    report = restore_media(environment, id, target)
    assert [fault.path for fault in report.faults] == [b"large-0", b"small-0"]
    assert [(target / f"large-{number}").read_bytes() == large for number in (1, 2)] == [True, True]
    assert [(target / f"small-{number}").stat().st_nlink for number in (1, 2)] == [1, 1]


def test_works_without_unnamed_files(media_site: Site, target: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """On a file system without O_TMPFILE hidden names do, and none is left."""
    media = media_site.folder / "media"
    write_sample(media)
    environment = media_site.environment()
    id = sync(environment)
    monkeypatch.setattr(media_files, "_HAS_PROC", False)
    assert restore_media(environment, id, target).faults == ()
    assert tree_of(target) == tree_of(media)


def test_target_in_the_store_or_amid_the_source_is_refused(media_site: Site, target: Path) -> None:
    """By whatever way it is reached; the source itself may be completed, and lies beside are no matter."""
    media, store = media_site.folder / "media", media_site.store_folder
    (media / "courses").mkdir()
    (media / "courses/file").write_bytes(b"x")
    environment = media_site.environment()
    id = sync(environment)
    before = sorted(store.rglob("*"))
    target.symlink_to(store)
    for refused in (store, store / "shop/production/media/new", target, target / "new", media / "courses/new"):
        with pytest.raises(UsageError, match="own"):
            restore_media(environment, id, refused, overwrite=True)
    assert sorted(store.rglob("*")) == before
    assert not (media / "courses/new").exists()
    shutil.rmtree(media)
    assert restore_media(environment, id, media).files == 1
    assert restore_media(environment, id, store.with_name("store-beside")).files == 1


def test_deep_trees_need_few_descriptors_and_little_time(media_site: Site, target: Path) -> None:
    """Folders in folders, thousands of them, of which a process could not have all open at once."""
    environment = media_site.environment()
    builder = Builder(environment)
    for depth in range(1, 2001):
        builder.line(b"d/" * depth, "directory", mode=0o755, mtime_ns=1_600_000_000_000_000_000)
    for depth in (500, 1000, 2000):
        builder.file(b"d/" * depth + b"file", b"%d" % depth)
    builder.line(b"d/" * 1500 + b"link", "link", target="x")
    id = builder.commit()
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (512, hard))
    started = time.monotonic()
    try:
        report = restore_media(environment, id, target)
        again = restore_media(environment, id, target)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
        seconds = time.monotonic() - started
        subprocess.run(["rm", "-rf", target], check=True)
    assert (report.faults, report.files, report.directories, report.links) == ((), 3, 2000, 1)
    assert (again.faults, again.skipped) == ((), 4)
    assert seconds < 20

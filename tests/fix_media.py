"""Sites whose policy has media, and what a tree looks like so that two of them can be compared."""

# Paths are bytes here, which pathlib does not take.
# ruff: noqa: PTH102, PTH115, PTH118

from __future__ import annotations

import hashlib
import os
import stat
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from fix_environment import MakeSite, Site
from holdfast_embedded.seaweedfs import SeaweedFS

NO_DATABASE = "postgresql://nobody@127.0.0.1:9/nothing"
Tree = dict[bytes, tuple[object, ...]]


def with_media(site: Site) -> Site:
    """Add an empty media folder, as ``site.folder / "media"``, to a site's policy."""
    media = site.folder / "media"
    media.mkdir()
    site.edit_policy("    keys:\n", f'    media: {{source: "file://{media}"}}\n    keys:\n')
    site.edit_policy("    tiers:\n", '    tiers:\n      media: {schedule: "0 14 * * *"}\n')
    return site


@pytest.fixture
def media_site(make_site: MakeSite) -> Site:
    """A site with media and a local store; it has no database."""
    return with_media(make_site(NO_DATABASE))


@pytest.fixture
def s3_media_site(make_site: MakeSite, seaweed: SeaweedFS, bucket: str, tmp_path: Path) -> Site:
    """The same with a store on a real S3 server."""
    conn = seaweed.connection("shop_store")
    extra = f"endpoint_url={conn.extra['endpoint_url']}&region_name={conn.extra['region_name']}"
    uri = f"aws://{conn.login}:{conn.password}@/?{extra}"
    return with_media(make_site(NO_DATABASE, store_url=f"s3://{bucket}/{tmp_path.name}", store_conn=uri))


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 4 MiB in memory."""
    place = tmp_path / "small"
    place.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", str(place)], check=True)
    try:
        yield place
    finally:
        subprocess.run(["umount", "--lazy", str(place)], check=True)


@pytest.fixture(params=["local", "s3"])
def any_media_site(request: pytest.FixtureRequest) -> Site:
    """A site with media, with each kind of store in turn."""
    made: Site = request.getfixturevalue("media_site" if request.param == "local" else "s3_media_site")
    return made


def tree_of(root: Path) -> Tree:
    """All that a restore must bring back of each path: kind, mode, mtime, owner, link target, content, its twins."""
    found: Tree = {}
    first: dict[tuple[int, int], bytes] = {}
    base = os.fsencode(root)
    for folder, folders, files in os.walk(base):
        for name in sorted([*folders, *files]):
            path = os.path.join(folder, name)
            status = os.lstat(path)
            key = os.path.relpath(path, base)
            common = (stat.S_IFMT(status.st_mode), status.st_mtime_ns, status.st_uid, status.st_gid)
            if stat.S_ISLNK(status.st_mode):
                found[key] = (*common, os.readlink(path))
            elif stat.S_ISDIR(status.st_mode):
                found[key] = (*common, status.st_mode)
            else:
                content = hashlib.sha256(Path(os.fsdecode(path)).read_bytes()).hexdigest()
                found[key] = (*common, status.st_mode, status.st_size, content, status.st_nlink)
                first.setdefault((status.st_dev, status.st_ino), key)
    return found


WriteTree = Callable[[Path], None]


def write_sample(root: Path) -> None:
    """A small tree with everything that trees have: odd names, links of both kinds, holes, modes, empty things."""
    (root / "courses/7").mkdir(parents=True)
    (root / "empty/within").mkdir(parents=True)
    (root / "courses/7/intro.mp4").write_bytes(os.urandom(3_000_000))
    (root / "courses/7/notes.txt").write_bytes(b"notes\n" * 50)
    (root / "courses/7/copy.mp4").write_bytes((root / "courses/7/intro.mp4").read_bytes())
    os.link(root / "courses/7/intro.mp4", root / "linked.mp4")
    (root / "zero").write_bytes(b"")
    (root / "sym").symlink_to("courses/7")
    (root / "dangling").symlink_to("/nowhere/at all")
    for number in range(40):
        (root / f"courses/file-{number:02}.bin").write_bytes(os.urandom(1000 + number * 977))
    odd = os.fsencode(root) + b"/odd \xff\n"
    os.mkdir(odd)
    Path(os.fsdecode(odd + b"/" + b"n" * 255)).write_bytes(b"long")
    Path(os.fsdecode(odd + b"/a*b\\c[1]?")).write_bytes(b"pattern")
    with (root / "sparse.img").open("wb") as file:
        file.seek(9_000_000)
        file.write(b"in the middle")
        file.truncate(20_000_000)
    (root / "courses/7/notes.txt").chmod(0o4751)
    (root / "courses/file-01.bin").chmod(0o000)
    for path in sorted(root.rglob("*"), key=lambda path: -len(path.parts)):
        if not path.is_symlink():
            os.utime(path, ns=(1_700_000_000_123_456_789, 1_600_000_000_987_654_321))
    (root / "empty").chmod(0o2770)
    (root / "courses/7").chmod(0o555)

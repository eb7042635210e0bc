"""Any tree, edited any way between snapshots: each snapshot restores to the tree as it was."""

from __future__ import annotations

import os
import shutil
import tempfile
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fix_environment import Site
from fix_media import Tree, tree_of
from holdfast.backup.media.sync import take_snapshot
from holdfast.media.packing import ShardSizes
from holdfast.progress import Silent
from holdfast.restore import restore_media
from holdfast.values.ids import RestorePointId

TINY = ShardSizes(least=300, target=600, most=1000)

ODD = [b"a", b"a.b", b"a-", b"b", b"ab", b"\xff", b" ", b"\n", b"-x", "ü".encode(), b'"sha256":"', b"\\"]
name = st.one_of(
    st.sampled_from(ODD),
    st.binary(min_size=1, max_size=12)
    .map(lambda text: text.replace(b"/", b"_").replace(b"\0", b"_"))
    .filter(lambda text: text not in (b".", b"..")),
)
path = st.lists(name, min_size=1, max_size=3).map(b"/".join)
content = st.one_of(
    st.sampled_from([b"", b"same", b"same", b"x" * 511, b"y" * 512, b"z" * 513]), st.binary(max_size=900)
)
edit = st.one_of(
    st.tuples(st.just("write"), path, content),
    st.tuples(st.just("folder"), path, st.just(b"")),
    st.tuples(st.just("remove"), path, st.just(b"")),
    st.tuples(st.just("link"), path, path),
    st.tuples(st.just("twin"), path, path),
    st.tuples(st.just("move"), path, path),
    st.tuples(st.just("mode"), path, st.sampled_from([b"600", b"444", b"4755", b"0"])),
    st.tuples(st.just("sparse"), path, content),
)


def apply(root: Path, kind: str, path: bytes, other: bytes) -> None:
    """One edit, where it makes sense: below a file nothing can be written, and what is not there cannot be moved."""
    place, target = root / os.fsdecode(path), root / os.fsdecode(other.replace(b"\0", b""))
    with suppress(OSError):
        if kind == "folder":
            place.mkdir(parents=True, exist_ok=True)
        elif kind in ("write", "link", "twin", "sparse"):
            place.parent.mkdir(parents=True, exist_ok=True)
        if kind in ("write", "sparse"):
            with place.open("wb") as file:
                file.seek(400_000 if kind == "sparse" else 0)
                file.write(other)
                file.truncate(500_000 if kind == "sparse" else len(other))
        elif kind == "remove":
            shutil.rmtree(place) if place.is_dir() and not place.is_symlink() else place.unlink()
        elif kind == "link":
            place.symlink_to(os.fsdecode(other))
        elif kind == "twin":
            os.link(target, place, follow_symlinks=False)
        elif kind == "move":
            place.rename(target)
        elif kind == "mode" and not place.is_symlink():
            place.chmod(int(other, 8))


def inside_root_only(edits: list[tuple[str, bytes, bytes]]) -> list[tuple[str, bytes, bytes]]:
    """Writing through a link that an earlier edit made could leave the scratch folder: those edits are left out."""
    linked = {path for kind, path, _ in edits if kind == "link"}
    return [
        (kind, path, other)
        for kind, path, other in edits
        if kind == "link" or not any(path == link or path.startswith(link + b"/") for link in linked)
    ]


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(rounds=st.lists(st.lists(edit, max_size=8).map(inside_root_only), min_size=1, max_size=3))
def test_every_snapshot_restores_to_what_was_there(
    rounds: list[list[tuple[str, bytes, bytes]]], media_site: Site
) -> None:
    """One store for all examples: each builds upon whatever the example before has left."""
    media, environment = media_site.folder / "media", media_site.environment()
    shutil.rmtree(media)
    media.mkdir()
    taken: list[tuple[RestorePointId, Tree]] = []
    for edits in rounds:
        for kind, path, other in edits:
            apply(media, kind, path, other)
        opened_at = datetime(2026, 11, 1, tzinfo=UTC) + timedelta(seconds=len(environment.media_catalog.ids()))
        id = RestorePointId.make(opened_at, "media", "property")
        take_snapshot(environment, id, force=True, progress=Silent(), sizes=TINY)
        taken.append((id, tree_of(media)))
    with tempfile.TemporaryDirectory(dir=media_site.folder) as scratch:
        for number, (id, tree) in enumerate(taken):
            back = Path(scratch) / str(number)
            restore_media(environment, id, back)
            assert tree_of(back) == tree

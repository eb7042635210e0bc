"""The store in a local directory: the contract, and what only a directory has."""

from __future__ import annotations

import os
import stat
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from holdfast.errors import ObjectMissing, StoreError, UsageError
from holdfast.storage.drafts import NamedDraft
from holdfast.storage.local import LocalStore
from holdfast.storage.protocol import Store
from store_contract import StoreContract, keys_of, large_pieces


class TestLocalStore(StoreContract):
    """With files that have no name until they are whole."""

    @pytest.fixture
    def store(self, tmp_path: Path) -> Store:
        return LocalStore(tmp_path / "new" / "store")


class TestLocalStoreWithNamedDrafts(StoreContract):
    """As on file systems that have no such files."""

    @pytest.fixture
    def store(self, tmp_path: Path) -> Store:
        return LocalStore(tmp_path / "store", open_draft=NamedDraft)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "store"


def everything_in(root: Path) -> list[str]:
    """Every file and folder, hidden ones too."""
    return sorted(str(path.relative_to(root)) for path in root.rglob("*")) if root.exists() else []


def test_files_and_folders_are_private(tmp_path: Path) -> None:
    """Whatever the umask: files 0600, folders 0700, the root and what is above it included."""
    old = os.umask(0)
    try:
        LocalStore(tmp_path / "up" / "store").put("a/b/c", [b"x"])
    finally:
        os.umask(old)
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in (tmp_path / "up").rglob("*")}
    assert modes == {"store": 0o700, "a": 0o700, "b": 0o700, "c": 0o600}


def test_root_that_lies_nowhere_is_neither_empty_nor_made(tmp_path: Path) -> None:
    """A disk is missing rather than every object."""
    (tmp_path / "link").symlink_to(tmp_path / "disk")
    (tmp_path / "file").write_bytes(b"")
    for root in (tmp_path / "link", tmp_path / "link/store", tmp_path / "file/store"):
        for use in (keys_of, lambda store: store.get("a"), lambda store: store.put("a", [b"x"])):
            with pytest.raises(UsageError, match=r"which is not there|is not a directory"):
                use(LocalStore(root))
    assert not (tmp_path / "disk").exists()


def test_an_existing_root_keeps_its_mode(root: Path) -> None:
    """Whose directory it is decides who may enter it."""
    root.mkdir(mode=0o750)
    root.chmod(0o750)
    LocalStore(root).put("a", [b"x"])
    assert stat.S_IMODE(root.stat().st_mode) == 0o750


def test_delete_removes_folders_that_it_empties(root: Path) -> None:
    """Up to the root, which stays."""
    store = LocalStore(root)
    store.put("a/b/c/one", [b"1"])
    store.put("a/two", [b"2"])
    store.delete("a/b/c/one")
    assert everything_in(root) == ["a", "a/two"]
    store.delete("a/two")
    assert everything_in(root) == []
    assert root.is_dir()


def test_a_failed_put_leaves_no_folder(root: Path) -> None:
    """Not even an empty one."""

    def pieces() -> Iterator[bytes]:
        yield b"x"
        raise RuntimeError

    with pytest.raises(RuntimeError):
        LocalStore(root).put("a/b/c", pieces())
    assert everything_in(root) == []


@pytest.mark.parametrize("link", ["app", "app/env", "app/env/object"])
def test_links_below_the_root_are_refused(root: Path, tmp_path: Path, link: str) -> None:
    """A link in a store's place leads nowhere: nothing is read, written or deleted through it."""
    elsewhere = tmp_path / "elsewhere"
    (elsewhere / "env").mkdir(parents=True)
    for name in ("env/object", "object"):
        (elsewhere / name).write_bytes(b"precious")
    place = root / link
    place.parent.mkdir(parents=True)
    place.symlink_to({"app": elsewhere, "app/env": elsewhere, "app/env/object": elsewhere / "object"}[link])
    store = LocalStore(root)
    for read in (store.get, store.head, lambda key: store.read_range(key, 0, 1), lambda key: list(store.stream(key))):
        with pytest.raises(UsageError, match=r"app/env/object: .* symbolic link"):
            read("app/env/object")
    if link == "app/env/object":
        store.delete("app/env/object")  # removes the link, not what it names
    else:
        with pytest.raises(UsageError, match="symbolic link"):
            store.delete("app/env/object")
        with pytest.raises(UsageError, match="symbolic link"):
            store.put("app/env/new", [b"x"])
    assert keys_of(store) == []
    assert everything_in(elsewhere) == ["env", "env/object", "object"]


def test_the_root_itself_may_be_a_link(root: Path, tmp_path: Path) -> None:
    """Where the store lies is its owner's affair."""
    (tmp_path / "disk").mkdir()
    root.symlink_to(tmp_path / "disk")
    LocalStore(root).put("a/b", [b"x"])
    assert (tmp_path / "disk" / "a" / "b").read_bytes() == b"x"


def test_what_is_not_ours_is_passed_over(root: Path) -> None:
    """Hidden files, names that no key has, pipes and links are not listed."""
    store = LocalStore(root)
    store.put("a/b", [b"x"])
    (root / ".hidden").write_bytes(b"")
    (root / "a" / "with space").write_bytes(b"")
    (root / "lost+found").mkdir()
    (root / "a" / "link").symlink_to("b")
    os.mkfifo(root / "a" / "pipe")
    assert keys_of(store) == ["a/b"]
    with pytest.raises(UsageError, match="not a regular file"):
        store.get("a/pipe")


def test_a_file_in_the_place_of_a_folder(root: Path) -> None:
    """One name cannot be an object and a folder, and the message says so."""
    store = LocalStore(root)
    store.put("a", [b"x"])
    with pytest.raises(StoreError, match="cannot write a/b: not a directory"):
        store.put("a/b", [b"x"])
    with pytest.raises(ObjectMissing):
        store.get("a/b")
    for use in (lambda store: store.put("b", [b"x"]), lambda store: store.get("b"), keys_of):
        with pytest.raises(UsageError, match="is not a directory"):
            use(LocalStore(root / "a"))


def test_a_delete_amid_a_put_does_not_hurt_it(root: Path) -> None:
    """The folder that another's delete has emptied and removed is made again."""
    store = LocalStore(root)
    store.put("a/b/old", [b"1"])

    def pieces() -> Iterator[bytes]:
        yield b"2"
        store.delete("a/b/old")
        assert not (root / "a").exists()

    store.put("a/b/new", pieces())
    assert keys_of(store) == ["a/b/new"]


def test_named_drafts_of_the_dead_are_swept(root: Path) -> None:
    """The next writer removes a draft that nobody has locked, and leaves one that is being written."""
    store = LocalStore(root, open_draft=NamedDraft)
    store.put("first", [b"x"])
    (root / ".partial" / "left").write_bytes(b"half a dump")

    def pieces() -> Iterator[bytes]:
        yield b"1"
        assert len(list((root / ".partial").iterdir())) == 1  # its own
        store.put("inner", [b"2"])
        yield b"3"

    store.put("outer", pieces())
    assert keys_of(store) == ["first", "inner", "outer"]
    assert store.get("outer") == b"13"
    assert everything_in(root / ".partial") == []


def test_a_relative_root_is_refused() -> None:
    """What a store is must not depend on the working directory."""
    with pytest.raises(UsageError, match="absolute"):
        LocalStore(Path("store"))


def test_ten_thousand_objects_are_listed_quickly(root: Path) -> None:
    """A catalog reads the list at every command."""
    for number in range(10_000):
        folder = root / f"{number:05}"
        folder.mkdir(parents=True)
        (folder / "manifest.json").touch()
    begun = time.perf_counter()
    assert len(keys_of(LocalStore(root))) == 10_000
    assert time.perf_counter() - begun < 2


def test_streaming_stops_when_the_reader_does(root: Path) -> None:
    """A reader that leaves early leaves no open file."""
    store = LocalStore(root)
    store.put("a", large_pieces())
    before = len(list(Path("/proc/self/fd").iterdir()))
    stream = store.stream("a")
    next(stream)
    stream.close()  # type: ignore[attr-defined]
    assert len(list(Path("/proc/self/fd").iterdir())) <= before

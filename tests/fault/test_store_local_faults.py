"""A local store whose writer is killed, whose disk is full, whose directory is closed: loud, and nothing appears."""

from __future__ import annotations

import os
import resource
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import pytest

from holdfast.errors import StoreError
from holdfast.storage.drafts import NamedDraft, open_draft
from holdfast.storage.local import LocalStore

INCLUDE = Path(__file__).parents[2] / "include"
MIB = 1 << 20


def start(script: str, *arguments: object, prefix: tuple[str, ...] = ()) -> subprocess.Popen[str]:
    """Run a Python script that may import the engine."""
    return subprocess.Popen(
        [*prefix, sys.executable, "-c", textwrap.dedent(script), *map(str, arguments)],
        env={**os.environ, "PYTHONPATH": str(INCLUDE)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def everything_in(root: Path) -> list[str]:
    """Every file, hidden ones too."""
    return sorted(str(path.relative_to(root)) for path in root.rglob("*") if not path.is_dir())


@pytest.mark.parametrize("drafts", ["open_draft", "NamedDraft"])
def test_kill_amid_a_put_leaves_nothing(tmp_path: Path, drafts: str) -> None:
    """No object and no file: where drafts have names, the next writer takes the dead one's away."""
    root = tmp_path / "store"
    writer = start(
        """
        import sys, time
        from pathlib import Path
        from holdfast.storage import drafts
        from holdfast.storage.local import LocalStore
        def pieces():
            for _ in range(50):
                yield b"plain" * 100_000
            print("written", flush=True)
            time.sleep(600)
        LocalStore(Path(sys.argv[1]), open_draft=getattr(drafts, sys.argv[2])).put("a/b/database.dump.age", pieces())
        """,
        root,
        drafts,
    )
    assert writer.stdout is not None
    assert writer.stdout.readline() == "written\n"
    writer.send_signal(signal.SIGKILL)
    writer.wait()
    writer.stdout.close()
    store = LocalStore(root, open_draft={"open_draft": open_draft, "NamedDraft": NamedDraft}[drafts])
    assert list(store.list("")) == []
    assert len(everything_in(root)) == (1 if drafts == "NamedDraft" else 0)
    store.put("a/b/database.dump.age", [b"whole"])
    assert everything_in(root) == ["a/b/database.dump.age"]


def test_kill_at_any_moment_leaves_whole_objects_only(tmp_path: Path) -> None:
    """A writer of many objects is killed at moments of chance: what is listed is complete."""
    root = tmp_path / "store"
    script = """
        import sys
        from itertools import count
        from pathlib import Path
        from holdfast.storage.local import LocalStore
        store = LocalStore(Path(sys.argv[1]))
        print("started", flush=True)
        for number in count():
            store.put(f"{sys.argv[2]}/{number:06}", (b"x" * 10_000 for _ in range(10)))
    """
    for round_ in range(5):
        writer = start(script, root, f"round-{round_}")
        assert writer.stdout is not None
        writer.stdout.readline()
        time.sleep(0.05 + round_ * 0.03)
        writer.kill()
        writer.wait()
        writer.stdout.close()
    found = list(LocalStore(root).list(""))
    assert found
    assert {each.size_bytes for each in found} == {100_000}
    assert everything_in(root) == [each.key for each in found]


def test_a_full_disk(tmp_path: Path) -> None:
    """The error names store, object, reason and what to do; the last good object is kept, the disk free again."""
    # A file system of 4 MiB in a mount namespace of its own, which ends with the process.
    is_root = os.geteuid() == 0
    namespace = ("unshare", "--mount") if is_root else ("unshare", "--user", "--map-root-user", "--mount")
    mount = 'mount -t tmpfs -o size=4m holdfast-test "$0" && exec "$@"'
    script = """
        import os, sys
        from pathlib import Path
        from holdfast.errors import StoreError
        from holdfast.storage import drafts
        from holdfast.storage.local import LocalStore
        root = Path(sys.argv[1]) / "store"
        for kind in (drafts.open_draft, drafts.NamedDraft):
            store = LocalStore(root, open_draft=kind)
            store.put(f"good/{kind.__name__}", [b"x" * 1_000_000])
            free = os.statvfs(root).f_bavail
            try:
                store.put("app/point/database.dump.age", (b"y" * 100_000 for _ in range(1000)))
            except StoreError as error:
                print(error.message, "|", error.hint)
            assert [each.key for each in store.list("app/")] == []
            assert os.statvfs(root).f_bavail == free, "the failed object still takes space"
        print([each.key for each in store.list("")])
    """
    child = start(script, tmp_path, prefix=(*namespace, "sh", "-c", mount, str(tmp_path)))
    said, _ = child.communicate(timeout=60)
    told = f"store file://{tmp_path}/store: cannot write app/point/database.dump.age: no space left on device"
    hint = "Free space on that file system, or let the policy keep less."
    assert said.splitlines() == [f"{told} | {hint}"] * 2 + ["['good/NamedDraft', 'good/open_draft']"]


def test_a_limit_of_file_size(tmp_path: Path) -> None:
    """A write that the system cuts short is a failure, never a shorter object."""
    root = tmp_path / "store"
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (3 * MIB, hard))
    try:
        with pytest.raises(StoreError, match="cannot write a/big: file too large"):
            LocalStore(root).put("a/big", (b"x" * 700_000 for _ in range(10)))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert everything_in(root) == []


def test_a_read_only_file_system(tmp_path: Path) -> None:
    """Refused with the reason; what is there can be read."""
    LocalStore(tmp_path / "store").put("a/b", [b"x"])
    is_root = os.geteuid() == 0
    namespace = ("unshare", "--mount") if is_root else ("unshare", "--user", "--map-root-user", "--mount")
    mount = 'mount --bind "$0" "$0" && mount -o remount,bind,ro "$0" && exec "$@"'
    script = """
        import sys
        from pathlib import Path
        from holdfast.errors import StoreError
        from holdfast.storage.local import LocalStore
        store = LocalStore(Path(sys.argv[1]) / "store")
        print(store.get("a/b"), [each.key for each in store.list("")])
        for act in (lambda: store.put("a/c", [b"x"]), lambda: store.put("d/c", [b"x"]), lambda: store.delete("a/b")):
            try:
                act()
            except StoreError as error:
                print(error.message.partition(": cannot ")[2], "|", error.hint)
    """
    child = start(script, tmp_path, prefix=(*namespace, "sh", "-c", mount, str(tmp_path)))
    said, _ = child.communicate(timeout=60)
    hint = "Mount that file system writable."
    assert said.splitlines() == [
        "b'x' ['a/b']",
        f"write a/c: read-only file system | {hint}",
        f"write d/c: read-only file system | {hint}",
        f"delete a/b: read-only file system | {hint}",
    ]


def test_a_directory_of_somebody_else(tmp_path: Path) -> None:
    """An ordinary user may not write there: the message says whose affair that is."""
    root = tmp_path / "store"
    LocalStore(root).put("a/b", [b"x"])
    prefix: tuple[str, ...] = ()
    if os.geteuid() == 0:  # root without the privilege to write everywhere
        prefix = ("setpriv", "--bounding-set=-dac_override,-dac_read_search")
        os.chown(root / "a", 65534, 65534)
        (root / "a").chmod(0o755)
    else:
        (root / "a").chmod(0o500)
    script = """
        import sys
        from pathlib import Path
        from holdfast.errors import StoreError
        from holdfast.storage.local import LocalStore
        try:
            LocalStore(Path(sys.argv[1])).put("a/c", [b"x"])
        except StoreError as error:
            print(error.message.partition(": cannot ")[2], "|", error.hint)
    """
    child = start(script, root, prefix=prefix)
    said, _ = child.communicate(timeout=60)
    assert said == "write a/c: permission denied | Give the directory to the user that runs this.\n"

"""Recovery environments under kill -9 and full disks: nothing goes on running, and the next run converges."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest

from fix_postgres import execute, rows
from fix_recovery import NAME, await_no_process_of
from holdfast.recovery import opened_recovery, prepare_recovery, remove_recovery
from holdfast.recovery.orphans import end_all_in
from holdfast.recovery.place import Place

_INCLUDE = Path(__file__).parents[2] / "include"
_HEAD = """
import json, sys, time
from datetime import UTC, datetime
from pathlib import Path
from holdfast.errors import DrillError
from holdfast.postgres.session import connect
from holdfast.recovery import *
root, name = Path(sys.argv[1]), sys.argv[2]
def prepare():
    prepare_recovery(root, name, source_major=18, database="shop", now=datetime.now(UTC))
print("begun", flush=True)
"""
_USE = """
with opened_recovery(root, name) as recovery:
    with connect(recovery.target.with_database("template1")) as session:
        session.execute("CREATE DATABASE shop")
    with connect(recovery.target) as session:
        session.execute("CREATE TABLE t AS SELECT generate_series(1, 1000) AS a")
    print("filled", flush=True)
    script = "setsid sleep 3700 & touch ~/running; sleep 3700"
    recovery.run(f"bash -c '{script}'", cwd=Path("/"), env={}, network="isolated", timeout_s=600)
"""


def start(root: Path, body: str, *prefix: str) -> subprocess.Popen[str]:
    """A process of its own that works on the environment ``NAME``; it has begun when this returns."""
    process = subprocess.Popen(
        [*prefix, sys.executable, "-c", _HEAD + body, str(root), NAME],
        env={"PATH": os.environ["PATH"], "PYTHONPATH": str(_INCLUDE)},
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "begun\n"
    return process


def kill(process: subprocess.Popen[str]) -> None:
    """As the kernel's out-of-memory killer does."""
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert process.stdout is not None
    process.stdout.close()


def await_path(path: Path) -> None:
    """Wait until it is there."""
    deadline = time.monotonic() + 60
    while not path.exists():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def prepare(root: Path) -> None:
    """Once more, in this process."""
    prepare_recovery(root, NAME, source_major=18, database="shop", now=datetime.now(UTC))


@pytest.mark.parametrize("moment", ["data.new", "data.new/base", "data.new/global/pg_control", "data"])
def test_killed_while_the_cluster_is_made(recovery_folder: Path, moment: str) -> None:
    """The next run makes it anew, and is not disturbed by what the dead one left running."""
    process = start(recovery_folder, "prepare()")
    await_path(recovery_folder / NAME / moment)
    kill(process)
    prepare(recovery_folder)
    with opened_recovery(recovery_folder, NAME) as recovery:
        execute(recovery.url.replace("/shop?", "/template1?"), "CREATE DATABASE shop")
        assert rows(recovery.url, "SELECT 1") == [(1,)]
    assert not (recovery_folder / NAME / "data.new").exists()


def test_killed_amid_use(recovery_folder: Path) -> None:
    """Server and command end with it, also what left the command's session; what was restored is still there."""
    process = start(recovery_folder, "prepare()\n" + _USE)
    await_path(recovery_folder / NAME / "home" / "running")
    kill(process)
    await_no_process_of(recovery_folder)
    assert not sleepers()
    with opened_recovery(recovery_folder, NAME) as recovery:
        assert rows(recovery.url, "SELECT count(*) FROM t") == [(1000,)]


def test_killed_while_restored_code_runs_programs(recovery_folder: Path) -> None:
    """One that left its session and heeds no request, and one that a session of the server waits for."""
    use = """
prepare()
with opened_recovery(root, name) as recovery:
    with connect(recovery.target.with_database("template1")) as session:
        session.execute("CREATE TABLE t AS SELECT 7 AS a")
        script = "cd /; (trap : TERM INT HUP; setsid sleep 3700 >/dev/null 2>&1 &); touch running; sleep 3700"
        session.execute(f"COPY t FROM PROGRAM 'touch running; bash -c \\"{script}\\"'")
"""
    process = start(recovery_folder, use)
    await_path(recovery_folder / NAME / "data" / "running")
    kill(process)
    begun = time.monotonic()
    with opened_recovery(recovery_folder, NAME) as recovery:
        assert rows(recovery.url.replace("/shop?", "/template1?"), "SELECT a FROM t") == [(7,)]
    assert time.monotonic() - begun < 30
    assert not sleepers()


def test_taken_over_at_once_from_a_killed_process(recovery_folder: Path) -> None:
    """Its server may still be at work; it is ended by the next, who holds the lock."""
    process = start(recovery_folder, "prepare()\n" + _USE)
    await_path(recovery_folder / NAME / "home" / "running")
    kill(process)
    with opened_recovery(recovery_folder, NAME) as recovery:
        assert rows(recovery.url, "SELECT count(*) FROM t") == [(1000,)]


def test_killed_server_is_taken_up_again(prepared: Callable[..., Path]) -> None:
    """By the next task."""
    root = prepared()
    with opened_recovery(root, NAME) as recovery:
        execute(recovery.url.replace("/shop?", "/template1?"), "CREATE DATABASE shop")
        execute(recovery.url, "CREATE TABLE t AS SELECT 7 AS a")
        os.kill(postmaster_of(root), signal.SIGKILL)
    with opened_recovery(root, NAME) as again:
        assert rows(again.url, "SELECT a FROM t") == [(7,)]


@pytest.mark.parametrize("delay_s", [0.0, 0.02, 0.1])
def test_killed_amid_removal(prepared: Callable[..., Path], delay_s: float) -> None:
    """Half of it never looks like a whole; removing once more takes the rest."""
    root = prepared()
    process = start(root, "remove_recovery(root, name)")
    time.sleep(delay_s)
    kill(process)
    if (root / NAME).exists() and not (root / NAME / "data/PG_VERSION").exists():
        assert not Place.of(root, NAME).record.exists()
    remove_recovery(root, NAME)
    assert not (root / NAME).exists()
    prepared()
    with opened_recovery(root, NAME):
        pass


def test_removed_while_a_dead_ones_command_still_writes(recovery_folder: Path) -> None:
    """It heeds no request, and is made to end a few seconds after its owner was killed."""
    stubborn = """
script = "trap : TERM; touch ~/running; while :; do mkdir -p ~/a/b; touch ~/a/b/c; done"
with opened_recovery(root, name) as recovery:
    recovery.run(f"bash -c '{script}'", cwd=Path("/"), env={}, network="isolated", timeout_s=600)
"""
    process = start(recovery_folder, "prepare()\n" + stubborn)
    await_path(recovery_folder / NAME / "home" / "running")
    kill(process)
    assert remove_recovery(recovery_folder, NAME)
    await_no_process_of(recovery_folder)


def test_removal_ends_what_still_works_there(prepared: Callable[..., Path]) -> None:
    """A server that outlived its owner, for whatever reason."""
    root = prepared()
    data = root / NAME / "data"
    stray = subprocess.Popen(["sleep", "3701"], cwd=data)
    assert remove_recovery(root, NAME)
    assert stray.wait() == -signal.SIGINT
    end_all_in([data])


def test_full_disk_is_said_to_be_one(tmp_path: Path) -> None:
    """With the folder that can be changed; nothing is said of the backup. It can be removed all the same."""
    body = """
try:
    prepare()
except DrillError as error:
    print(json.dumps([error.message, error.hint, remove_recovery(root, name)]), flush=True)
"""
    mount = 'mount -t tmpfs -o size=20m,mode=0711 holdfast-test "$0" && exec "$@"'
    tmp_path.chmod(0o711)
    process = start(tmp_path, body, "unshare", "--mount", "sh", "-c", mount, str(tmp_path))
    said, _ = process.communicate(timeout=120)
    message, hint, removed = json.loads(said)
    assert "is full" in message
    assert "HOLDFAST_RECOVERY" in hint
    assert removed


def postmaster_of(root: Path) -> int:
    """Its number as we count; it knows itself by another one."""
    data = root / NAME / "data"
    for process in Path("/proc").glob("[0-9]*"):
        try:
            here, words = (process / "cwd").readlink(), (process / "cmdline").read_bytes().split(b"\0")
        except OSError:
            continue
        if here == data and words[1:3] == [b"-D", str(data).encode()]:
            return int(process.name)
    raise LookupError(data)


def sleepers() -> list[str]:
    """The processes that the command of ``_USE`` left."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            found += [process.name] if (process / "cmdline").read_bytes() == b"sleep\x003700\x00" else []
        except OSError:
            continue
    return found

"""Faults planted into a recovery: each ends it with words of its own, and none is taken for the end of the WAL."""

from __future__ import annotations

import shutil
import signal
import subprocess
import time
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import pytest

from fix_postgres import execute, rows
from fix_recover import History, names, started, streamed_site
from holdfast.crypto.keyfiles import new_keys
from holdfast.errors import DecryptError, IntegrityError, ObjectMissing, TransientError, UsageError
from holdfast.pitr import recover
from holdfast.pitr.destination import MARK, WORK
from holdfast.pitr.fetch_script import TEXT
from holdfast.recovery.cluster import Cluster


@pytest.fixture(scope="module")
def recorded(kept18: Cluster, tmp_path_factory: pytest.TempPathFactory) -> History:
    """Three steps in three segments, a last one in the open one, and the WAL of all stored."""
    history = History(kept18, streamed_site(tmp_path_factory.mktemp("recorded"), kept18))
    history.base()
    for name in ("first", "second", "third"):
        history.step(name)
        history.switch()
    history.step("last")
    history.store()
    return history


@pytest.fixture
def three(recorded: History, tmp_path: Path) -> History:
    """A copy of that store and its keys, to be damaged."""
    site = streamed_site(tmp_path, recorded.cluster)
    for was, now in ((recorded.site.keys, site.keys), (recorded.site.store_folder, site.store_folder)):
        shutil.copytree(was, now, dirs_exist_ok=True)
    return replace(recorded, site=site)


def test_earlier_targets_than_damaged_wal_work_and_later_ones_fail(three: History, tmp_path: Path) -> None:
    """The server does not learn of damage that lies behind its target, and never takes it for the end."""
    environment = three.site.environment()
    damaged = _segment_of(three, "second")
    early, late, latest = (
        three.plan(to_lsn=three.lsn["first"]),
        three.plan(to=three.at["third"].isoformat()),
        three.plan(latest=True),
    )
    content = bytearray(damaged.read_bytes())
    content[len(content) // 2] ^= 1
    damaged.chmod(0o600)
    damaged.write_bytes(content)
    recover(environment, early, tmp_path / "early")
    with started(tmp_path / "early", three.cluster) as url:
        assert names(url) == ["first"]
    for number, plan in enumerate((late, latest)):
        with pytest.raises((IntegrityError, DecryptError), match=_name(damaged)):
            recover(environment, plan, tmp_path / f"late{number}")
        assert (tmp_path / f"late{number}" / MARK).exists()
    assert _servers_in(tmp_path) == []


def test_wal_that_vanished_is_no_end(three: History, tmp_path: Path) -> None:
    """Planned while it was there, gone when it is wanted; and refused by the next plan, with what can be had."""
    plan = three.plan(latest=True)
    gone = _segment_of(three, "second")
    gone.unlink()
    with pytest.raises((ObjectMissing, IntegrityError), match=_name(gone)):
        recover(three.site.environment(), plan, tmp_path / "data")
    with pytest.raises(UsageError, match=r"after the last WAL|lies in a gap") as refused:
        three.plan(to=three.at["third"].isoformat())
    assert refused.value.hint is not None
    assert "instant" in refused.value.hint


def test_a_wrong_identity_says_so(three: History, tmp_path: Path) -> None:
    """Nothing is decrypted, nothing is left that looks like a cluster."""
    new_keys(tmp_path / "others")
    three.site.edit_policy(f"{three.site.keys}/identity.txt", f"{tmp_path}/others/identity.txt")
    with pytest.raises(DecryptError, match="base backup shop/production/"):
        recover(three.site.environment(), three.plan(latest=True), tmp_path / "data")
    assert not (tmp_path / "data/PG_VERSION").exists()


def test_a_damaged_base_backup_is_named(three: History, tmp_path: Path) -> None:
    """Cut off, or with one byte flipped."""
    (tar,) = three.site.store_folder.rglob("base.tar.zst.age")
    plan, whole = three.plan(latest=True), tar.read_bytes()
    tar.chmod(0o600)
    for damaged in (whole[:-100], whole[: len(whole) // 2] + b"?" + whole[len(whole) // 2 + 1 :]):
        tar.write_bytes(damaged)
        with pytest.raises((IntegrityError, DecryptError), match=f"{plan.base.id}: base.tar.zst.age"):
            recover(three.site.environment(), plan, tmp_path / "data")
        assert (tmp_path / "data" / MARK).exists()


def test_a_full_disk_is_told(three: History, tmp_path: Path) -> None:
    """As a limit on the size of files has it, which the kernel refuses like a full disk."""
    execute(three.cluster.url(), "DROP TABLE IF EXISTS wide; CREATE TABLE wide AS SELECT generate_series(1, 200000) n")
    three.base()
    arguments = ("recover", str(three.site.policy_file), "production", "--latest", "--data-dir", str(tmp_path / "data"))
    done = subprocess.run(
        ["prlimit", f"--fsize={2 << 20}", *three.site.command(*arguments)],
        env=three.site.surroundings(),
        capture_output=True,
        text=True,
        check=False,
        timeout=100,
    )
    assert done.returncode == 1, done.stderr
    assert "file too large" in done.stderr
    assert "is no whole cluster" in done.stderr
    execute(three.cluster.url(), "DROP TABLE wide")


def test_too_little_room_is_told_before_anything_is_fetched(three: History, tmp_path: Path) -> None:
    """By what the manifest says of the size."""
    plan = three.plan(latest=True)
    huge = plan.base.model_copy(update={"data_bytes": 1 << 50})
    object.__setattr__(plan, "base", huge)
    with pytest.raises(TransientError, match="bytes are free"):
        recover(three.site.environment(), plan, tmp_path / "data")


@pytest.mark.parametrize("moment", ["base", "replay"])
def test_a_killed_recovery_leaves_no_server_and_a_rerun_converges(three: History, tmp_path: Path, moment: str) -> None:
    """Kill -9 while files come, and while the server is up: the kernel tells it, and the mark stays."""
    data = tmp_path / "data"
    arguments = ("recover", str(three.site.policy_file), "production", "--latest", "--data-dir", str(data))
    running = subprocess.Popen(
        three.site.command(*arguments, "--pause"),
        env=three.site.surroundings(),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    awaited = data / ("base" if moment == "base" else f"{WORK}/server.log")
    deadline = time.monotonic() + 30
    while not awaited.exists():
        assert time.monotonic() < deadline
        time.sleep(0.005)
    running.kill()
    running.wait()
    again = three.site.json(*arguments)
    assert again["timeline"] == 2
    assert not (data / MARK).exists()
    assert _servers_in(data) == []
    with started(data, three.cluster) as url:
        assert names(url) == ["first", "second", "third", "last"]


def test_two_recoveries_do_not_share_a_directory(three: History, tmp_path: Path) -> None:
    """The second is refused, the first goes on."""
    data = tmp_path / "data"
    arguments = ("recover", str(three.site.policy_file), "production", "--latest", "--data-dir", str(data))
    running = subprocess.Popen(
        three.site.command(*arguments, "--pause"), env=three.site.surroundings(), stderr=subprocess.PIPE, text=True
    )
    assert running.stderr is not None
    for line in running.stderr:
        if "look:" in line:
            break
    refused = three.site.json(*arguments, expect=2)
    assert "another recovery is at work" in refused["error"]
    assert running.poll() is None
    running.send_signal(signal.SIGINT)
    running.communicate(timeout=60)


def test_a_dead_feeder_is_not_the_end_of_the_wal(tmp_path: Path) -> None:
    """Whoever waits for a file that nobody will bring ends with a status at which the server stops."""
    folder = tmp_path / "wal"
    folder.mkdir()
    (folder / "fetch").write_text(TEXT)
    (folder / "alive").touch()
    done = subprocess.run(
        ["/bin/sh", str(folder / "fetch"), str(folder), "000000010000000000000001", str(tmp_path / "taken")],
        timeout=30,
        check=False,
    )
    assert done.returncode == 126


def _segment_of(history: History, step: str) -> Path:
    """The file of the segment that a step was committed in."""
    name = rows(history.cluster.url(), f"SELECT pg_walfile_name('{history.lsn[step]}')")[0][0]
    return history.key(str(name))


def _name(path: Path) -> str:
    return path.name.removesuffix(".zst.age")


def _servers_in(folder: Path) -> list[int]:
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            if (process / "cwd").readlink().is_relative_to(folder):
                found.append(int(process.name))
    return found

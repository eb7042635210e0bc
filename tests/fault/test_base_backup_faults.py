"""Faults planted into base backups: whatever ends one, none exists, nothing plain is left, the next one is whole."""

from __future__ import annotations

import hashlib
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from base_backups import (
    KEPT,
    SUMMARIES,
    all_base_files,
    folder_of,
    manifest_of,
    opened,
    program_in_between,
    storing_wal,
    take,
)
from failing_store import FailingStore, Moment
from fix_environment import Site
from fix_wal import MakeStreamed, Streamed, streamable
from holdfast.backup.base import commit_base_backup, store_base_backup, take_base_backup
from holdfast.errors import HoldfastError, IntegrityError, StoreError, ToolError, TransientError
from holdfast.recovery.cluster import Cluster
from holdfast.values.ids import RestorePointId
from holdfast.values.keys import BASE_TAR
from wal_storing import store_wal

PLAINTEXT = b"the-only-row-nobody-else-writes"


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """PostgreSQL 18 with rows that would be found wherever they were written plainly."""
    with streamable(tmp_path_factory.mktemp("faulty"), segment_mb=1, config=KEPT | SUMMARIES) as made:
        yield made


@pytest.fixture
def streamed(cluster: Cluster, make_streamed: MakeStreamed) -> Streamed:
    """A site for it, with an empty store."""
    made = make_streamed(cluster)
    made.execute(
        f"CREATE TABLE IF NOT EXISTS secrets AS SELECT n, '{PLAINTEXT.decode()}' AS note "
        "FROM generate_series(1, 20000) n"
    )
    return made


def _assert_nothing_plain(site: Site) -> None:
    for path in [*site.store_folder.rglob("*"), *site.scratch.rglob("*")]:
        assert not path.is_file() or PLAINTEXT not in path.read_bytes()


def _descendants(pid: int) -> list[int]:
    found = []
    for status in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = status.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if int(fields[1]) == pid:
            found += [int(status.parent.name), *_descendants(int(status.parent.name))]
    return found


def _state(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return "gone"


def test_kill_in_the_middle_of_the_tar_leaves_no_base_backup(streamed: Streamed) -> None:
    """Kill -9 once part of the tar has come: no base backup, no plaintext, no child; the next one is whole."""
    site = streamed.site
    program_in_between(site, streamed.cluster.bin, lambda real: f'{real} "$@" | (head -c 4M; kill -STOP $$; cat)')
    running = subprocess.Popen(
        site.command("base-backup", str(site.policy_file), "production"),
        env=site.surroundings(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    deadline = time.monotonic() + 30
    while not any(_state(pid) == "T" for pid in _descendants(running.pid)):
        assert running.poll() is None and time.monotonic() < deadline, running.communicate()
        time.sleep(0.02)
    children = _descendants(running.pid)
    running.send_signal(signal.SIGKILL)
    running.communicate()
    deadline = time.monotonic() + 10
    while any(_state(pid) not in ("Z", "gone") for pid in children):
        assert time.monotonic() < deadline
        for pid in children:
            if _state(pid) == "T":  # the signal of its parent's death reaches it when it goes on
                os.kill(pid, signal.SIGCONT)
        time.sleep(0.05)
    assert all_base_files(site) == []
    _assert_nothing_plain(site)
    del site.variables["HOLDFAST_PG_BIN"]
    facts = take(streamed)
    assert facts.kind == "full"
    _assert_nothing_plain(site)


_LISTED = r'"Path": "PG_VERSION", "Size": '


@pytest.mark.parametrize(
    ("filter", "kind", "said"),
    [
        ("head -c 4M; echo 'pg_basebackup: error: out of luck' >&2; exit 1", ToolError, "out of luck"),
        ("head -c 4M", IntegrityError, "left out backup_manifest"),
        ("head -c -1500", IntegrityError, "backup_manifest does not end|left out the end"),
        (f"sed 's/{_LISTED}3/{_LISTED}4/'", IntegrityError, "checksum"),
        ("(head -c 256; echo; cat)", IntegrityError, "not the tar"),
    ],
    ids=["fails in the middle", "ends early", "its end is missing", "the list is changed", "shifted by a byte"],
)
def test_program_that_does_not_deliver_leaves_nothing(
    streamed: Streamed, monkeypatch: pytest.MonkeyPatch, filter: str, kind: type[HoldfastError], said: str
) -> None:
    """Whatever pg_basebackup says of its end: what is not whole is not stored."""
    site = streamed.site
    program_in_between(site, streamed.cluster.bin, lambda real: f'{real} "$@" | {filter}')
    monkeypatch.setenv("HOLDFAST_PG_BIN", site.variables["HOLDFAST_PG_BIN"])
    with pytest.raises(kind, match=said):
        take_base_backup(site.environment())
    assert all_base_files(site) == []


def test_server_killed_amid_a_base_backup(make_streamed: MakeStreamed, tmp_path: Path) -> None:
    """The server dies while its files are read: transient, and nothing of it is kept."""
    with streamable(tmp_path / "dying", segment_mb=1, config=KEPT) as dying:
        made = make_streamed(dying)
        ending = f"kill -9 $(head -1 {dying.data}/postmaster.pid)"
        passing = f"(head -c 2M; {ending}; cat); exit ${{PIPESTATUS[0]}}"
        program_in_between(made.site, dying.bin, lambda real: f'{real} "$@" | {passing}')
        failed = made.site.run("base-backup", str(made.site.policy_file), "production", expect=1)
        assert b"pg_basebackup failed" in failed.stderr
        assert all_base_files(made.site) == []


def test_every_store_call_may_fail(streamed: Streamed) -> None:
    """Each call fails in turn: no base backup then, and the same steps run again make it."""
    site = streamed.site
    calls = FailingStore(site.environment().store)
    _both_steps(streamed, calls, "count")
    moments: tuple[Moment, ...] = ("before", "after")
    for number in range(1, len(calls.calls) + 1):
        for moment in moments:
            if calls.calls[number - 1][0] in ("list", "get", "head", "stream") and moment == "after":
                continue
            origin = f"{number}-{moment}"
            failing = FailingStore(site.environment().store, fail_at=number, moment=moment)
            with pytest.raises((StoreError, TransientError)):
                _both_steps(streamed, failing, origin)
            _both_steps(streamed, site.environment().store, origin)


def _both_steps(streamed: Streamed, store: object, origin: str) -> None:
    environment = replace(streamed.site.environment(), store=store)  # type: ignore[arg-type]
    at = streamed.site.environment().clock().replace(year=2026, month=1, day=1, hour=1, minute=1, second=1)
    id = store_base_backup(environment, opened_at=at, origin=origin, full=True)
    store_wal(streamed.site.environment(), streamed.cluster)
    try:
        commit_base_backup(environment, id)
    finally:
        entry = streamed.site.environment().base_catalog.entry(id)
        assert not entry.is_committed or not entry.missing(manifest_of(streamed.site, str(id)))


def test_tar_replaced_before_the_commit_is_noticed(streamed: Streamed) -> None:
    """An object cut after it was stored: the commit refuses, and storing again replaces it."""
    environment = streamed.site.environment()
    at = environment.clock()
    with storing_wal(streamed):
        id = store_base_backup(environment, opened_at=at, origin="cut", full=True)
        tar = folder_of(streamed.site, str(id)) / BASE_TAR
        tar.write_bytes(tar.read_bytes()[:-1])
        with pytest.raises(IntegrityError, match=BASE_TAR):
            commit_base_backup(environment, id)
        assert store_base_backup(environment, opened_at=at, origin="cut", full=True) == id
        assert commit_base_backup(environment, id).base_backup == str(id)


def test_parent_removed_before_the_commit_is_noticed(streamed: Streamed) -> None:
    """An incremental one whose parent is gone by then does not come to exist; the next is a full one."""
    environment = streamed.site.environment()
    parent = take(streamed, full=True)
    with storing_wal(streamed):
        id = store_base_backup(environment, opened_at=environment.clock(), origin="orphan")
        shutil.rmtree(folder_of(streamed.site, parent.base_backup))
        with pytest.raises(IntegrityError, match=f"{parent.base_backup}, on which it builds"):
            commit_base_backup(environment, id)
    assert not environment.base_catalog.entry(id).is_committed
    assert take(streamed).kind == "full"


@pytest.mark.parametrize("damage", ["flip", "cut"])
def test_damage_is_seen_by_the_hash_and_by_age(streamed: Streamed, tmp_path: Path, damage: str) -> None:
    """One flipped byte, or one less: another hash than the signed manifest has, and age does not open it to the end."""
    facts = take(streamed, full=True)
    artifact = next(each for each in manifest_of(streamed.site, facts.base_backup).artifacts if each.name == BASE_TAR)
    stored = folder_of(streamed.site, facts.base_backup) / BASE_TAR
    content = bytearray(stored.read_bytes())
    assert hashlib.sha256(content).hexdigest() == artifact.sha256
    if damage == "flip":
        content[len(content) // 2] ^= 1
    else:
        del content[-1]
    stored.write_bytes(content)
    assert hashlib.sha256(content).hexdigest() != artifact.sha256
    with pytest.raises(subprocess.CalledProcessError):
        opened(streamed.site, facts.base_backup, tmp_path / "files")
    entry = streamed.site.environment().base_catalog.entry(RestorePointId.parse(facts.base_backup))
    assert bool(entry.missing(manifest_of(streamed.site, facts.base_backup))) == (damage == "cut")

"""Base backups in tests: their WAL stored meanwhile, opened with public tools, and started."""

from __future__ import annotations

import os
import shutil
import subprocess
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from fix_environment import Site
from fix_postgres import FAST, execute
from fix_wal import Streamed
from holdfast.backup.base import BaseBackupFacts, take_base_backup
from holdfast.manifest.base_backup import BaseBackupManifest
from holdfast.progress import Silent
from holdfast.recovery.account import server_account
from holdfast.recovery.cluster import Cluster
from holdfast.values.ids import RestorePointId
from holdfast.values.keys import BASE_TAR
from wal_storing import store_wal

# So that segments are there for whoever stores them by and by, and incremental base backups are possible.
KEPT = {"wal_keep_size": "256MB", "autovacuum": "off", "checkpoint_timeout": "1h"}
SUMMARIES = {"summarize_wal": "on"}
LARGE = 1 << 30


class Notes(Silent):
    """Keeps what phases ended with."""

    def __init__(self) -> None:
        self.outcomes: list[str] = []

    def end(self, outcome: str = "") -> None:
        self.outcomes.append(outcome)


@contextmanager
def storing_wal(streamed: Streamed) -> Iterator[None]:
    """Store the server's WAL all the time."""
    environment, ended, failures = streamed.site.environment(), threading.Event(), list[Exception]()

    def store() -> None:
        while not ended.wait(0.1):
            try:
                store_wal(environment, streamed.cluster)
            except Exception as error:
                failures.append(error)
                return

    storing = threading.Thread(target=store)
    storing.start()
    try:
        yield
    finally:
        ended.set()
        storing.join()
    assert failures == []


def take(streamed: Streamed, *, full: bool = False, notes: Notes | None = None) -> BaseBackupFacts:
    """Take a base backup of a server whose WAL is stored meanwhile."""
    with storing_wal(streamed):
        return take_base_backup(streamed.site.environment(), full=full, progress=notes or Silent())


def manifest_of(site: Site, id: str) -> BaseBackupManifest:
    """The manifest of a base backup, its signature checked."""
    environment = site.environment()
    return environment.base_catalog.manifest(RestorePointId.parse(id), environment.verifier())


def folder_of(site: Site, id: str) -> Path:
    """Where a local store keeps it."""
    return site.store_folder / "shop/production/base-backups" / id


def all_base_files(site: Site) -> list[str]:
    """Every object below the base backups."""
    return [name for name in site.stored_files() if "/base-backups/" in name]


def opened(site: Site, id: str, into: Path) -> Path:
    """The files of a base backup, by age, zstd and tar alone."""
    into.mkdir(parents=True)
    stored = folder_of(site, id) / BASE_TAR
    _shell(f"age -d -i {site.keys}/identity.txt {stored} | zstd -dq | tar -x -C {into}")
    return into


def put_wal(site: Site, into: Path) -> None:
    """Every segment in the store as a plain file, by age and zstd alone."""
    for path in site.store_folder.glob("shop/production/wal/*/*/" + "[0-9A-F]" * 24 + ".zst.age"):
        target = into / path.name.removesuffix(".zst.age")
        _shell(f"age -d -i {site.keys}/identity.txt {path} | zstd -dq -o {target}")


def verify(bin: Path, data: Path, *options: str) -> subprocess.CompletedProcess[str]:
    """What pg_verifybackup says of unpacked files; unless told not to, it reads their WAL, too."""
    argv = [str(bin / "pg_verifybackup"), *options, str(data)]
    return subprocess.run(argv, capture_output=True, text=True, env=_environment(bin), check=False)


def combine(bin: Path, chain: list[Path], into: Path) -> None:
    """A full backup made of a full one and the incremental ones on top of it."""
    argv = [str(bin / "pg_combinebackup"), "--no-sync", "-o", str(into), *map(str, chain)]
    subprocess.run(argv, check=True, capture_output=True, env=_environment(bin))


@contextmanager
def started(source: Cluster, data: Path, folder: Path) -> Iterator[Cluster]:
    """A server on unpacked files that hold their WAL: it replays all of that, and takes connections."""
    cluster = Cluster(folder, source.bin, config=FAST)
    folder.mkdir()
    shutil.copy(source.folder / "password", folder / "password")
    data.rename(cluster.data)
    cluster.data.chmod(0o700)
    account = server_account()
    if account.name is not None:
        _shell(f"chown -R {account.uid}:{account.gid} {cluster.data}")
    with cluster:
        yield cluster


def program_in_between(site: Site, bin: Path, script: Callable[[str], str]) -> None:
    """Have ``script`` run in pg_basebackup's stead; it is given the path of the real one."""
    folder = site.folder / "bin"
    folder.mkdir()
    for program in bin.iterdir():
        (folder / program.name).symlink_to(program)
    standing = folder / "pg_basebackup"
    standing.unlink()
    standing.write_text(f"#!/bin/bash\n{script(str(bin / 'pg_basebackup'))}\n")
    standing.chmod(0o755)
    site.variables["HOLDFAST_PG_BIN"] = str(folder)


def set_hba(cluster: Cluster, line: str) -> None:
    """Put a line first into pg_hba.conf."""
    path = cluster.data / "pg_hba.conf"
    path.write_text(f"{line}\n{path.read_text()}")
    execute(cluster.url(), "SELECT pg_reload_conf()")


def _environment(bin: Path) -> Mapping[str, str]:
    return {"PATH": os.environ["PATH"], "LC_ALL": "C", "LD_LIBRARY_PATH": str(bin.parent / "lib")}


def _shell(command: str) -> None:
    subprocess.run(["bash", "-o", "pipefail", "-c", command], check=True, capture_output=True)

"""A cluster whose history is in a store: a base backup, then commits whose times and positions are known."""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from fix_environment import POLICY, Site
from fix_postgres import execute, rows
from fix_wal import streamable, streamer_url
from holdfast.backup.base import commit_base_backup, store_base_backup
from holdfast.crypto.keyfiles import new_keys
from holdfast.manifest.wal import WalMark
from holdfast.pitr import RecoveryPlan, parse_target, plan_recovery
from holdfast.recovery.account import server_account
from holdfast.recovery.cluster import Cluster
from holdfast.values.ids import RestorePointId
from wal_storing import mark, store_wal

KEPT = {"wal_keep_size": "512MB", "autovacuum": "off", "checkpoint_timeout": "1h"}


@dataclass
class History:
    """What happened to a cluster: ``at`` and ``lsn`` hold the moment after each step by its name."""

    cluster: Cluster
    site: Site
    at: dict[str, datetime] = field(default_factory=dict)
    lsn: dict[str, str] = field(default_factory=dict)
    marks: list[WalMark] = field(default_factory=list)

    def step(self, name: str, sql: str = "") -> None:
        """Commit ``sql`` and a row that says so; then a marker."""
        execute(
            self.cluster.url(),
            f"CREATE TABLE IF NOT EXISTS steps (name text, at timestamptz DEFAULT clock_timestamp());{sql};"
            f"INSERT INTO steps (name) VALUES ('{name}')",
        )
        at, lsn = rows(self.cluster.url(), "SELECT clock_timestamp(), pg_current_wal_insert_lsn()::text")[0]
        self.at[name], self.lsn[name] = at, str(lsn)  # type: ignore[assignment]
        self.marks.append(mark(self.cluster, len(self.marks) + 1))

    def switch(self) -> None:
        """Go on in another segment."""
        execute(self.cluster.url(), "SELECT pg_switch_wal()")

    def store(self) -> list[str]:
        """Store all WAL that there is."""
        execute(self.cluster.url(), "CHECKPOINT")
        return store_wal(self.site.environment(), self.cluster, self.marks)

    def base(self, *, full: bool = True) -> RestorePointId:
        """Take a base backup and store its WAL."""
        environment, now = self.site.environment(), datetime.now(UTC)
        origin = hashlib.sha256(now.isoformat().encode()).hexdigest()
        id = store_base_backup(environment, opened_at=now, origin=origin, full=full)
        self.marks.append(mark(self.cluster, len(self.marks) + 1))
        self.switch()
        self.store()
        commit_base_backup(environment, id)
        return id

    def plan(self, **target: Any) -> RecoveryPlan:
        """The plan for a target."""
        return plan_recovery(self.site.environment(), parse_target(**target))

    def key(self, name: str) -> Path:
        """The file of a piece of WAL in the local store."""
        (found,) = self.site.store_folder.rglob(f"{name}*.zst.age")
        return found


def streamed_site(folder: Path, cluster: Cluster) -> Site:
    """A site whose environment has point-in-time recovery of ``cluster``, in a folder of its own."""
    site = Site(
        folder / "site",
        folder / "site/shop.yaml",
        folder / "site/keys",
        folder / "site/store",
        {"AIRFLOW_CONN_SHOP_DB": streamer_url(cluster)},
    )
    site.folder.mkdir()
    new_keys(site.keys)
    text = POLICY.format(store_url=f"file://{site.store_folder}", store_conn="null", keys=site.keys)
    text = text.replace("{conn_id: shop_db}", "{conn_id: shop_db, pitr: streaming}")
    site.policy_file.write_text(text)
    return site


@contextmanager
def started(data: Path, cluster: Cluster) -> Iterator[str]:
    """Start a recovered data directory by ``pg_ctl -D DIR start`` as its owner; yields a URL to it."""
    # The folders of tests are closed to others.
    options = server_account().privileges(cluster.bin, data)
    prefix = ["setpriv", *options, "--"] if options else []
    socket = Path(tempfile.mkdtemp())
    socket.chmod(0o777)
    log = socket / "log"
    control = [*prefix, str(cluster.bin / "pg_ctl"), "-D", str(data), "-w"]
    given = f"-k {socket} -c listen_addresses='' -c fsync=off"
    done = subprocess.run(
        [*control, "-l", str(log), "-o", given, "start"],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        check=False,
    )
    assert done.returncode == 0, (done.stderr, log.read_text() if log.exists() else "")
    try:
        yield f"postgresql://postgres:{cluster.password}@/postgres?host={socket}"
    finally:
        subprocess.run([*control, "-m", "fast", "stop"], stdout=subprocess.DEVNULL, check=True)
        shutil.rmtree(socket)


def names(url: str) -> list[str]:
    """The steps that a recovered cluster knows."""
    return [str(row[0]) for row in rows(url, "SELECT name FROM steps ORDER BY at")]


@pytest.fixture(scope="module")
def kept18(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """PostgreSQL 18 that keeps its WAL, in segments of 1 MiB."""
    with streamable(tmp_path_factory.mktemp("kept18"), segment_mb=1, config=KEPT | {"summarize_wal": "on"}) as cluster:
        yield cluster


@pytest.fixture
def history(kept18: Cluster, tmp_path: Path) -> History:
    """A history of 18 without any step yet."""
    execute(kept18.url(), "DROP TABLE IF EXISTS steps")
    return History(kept18, streamed_site(tmp_path, kept18))

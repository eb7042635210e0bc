"""Clusters of the reference alone, one per major version, whose files and WAL are backed up as they stand."""

from __future__ import annotations

import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import psycopg
from psycopg import sql

from bench.engine import APP, Engine, facts
from bench.place import Place
from bench.running import Run, run
from bench.scale import Scale
from bench.sources import REFERENCE, SETTINGS, ensure_reference
from bench.tools import Tools
from bench.watch import Watch
from holdfast.errors import PermanentError
from holdfast.postgres.conninfo import Target
from holdfast.postgres.wheel import wheel_folder
from holdfast.recovery.cluster import Cluster

DEBIAN_15 = Path("/usr/lib/postgresql/15/bin")
_READY_S = 30.0
_GRACE_S = 20.0
# A changed row's new version goes to a page that was changed for it anyway, or to the end of the table.
_CHANGE = """
UPDATE pgbench_accounts SET abalance = abalance + 1
 WHERE aid > {accounts} * {part} AND aid <= {accounts} * ({part} + 1);
UPDATE events SET user_id = user_id + 1 WHERE id > {events} * {part} AND id <= {events} * ({part} + 1);
CHECKPOINT
"""


@dataclass(slots=True)
class Physical:
    """One running cluster, the tools beside it, and Holdfast with its environment ``name``."""

    name: str
    cluster: Cluster
    tools: Tools
    engine: Engine
    place: Place
    scale: Scale
    _changed: int = field(default=0)

    def base_backup(self, *options: str) -> Run:
        """``holdfast base-backup``; its WAL is streamed meanwhile."""
        return self.engine.on("base-backup", self.name, *options)

    def piped(self, recipient: str, to: Path) -> Run:
        """What the manuals' parts make: pg_basebackup, zstd and age in one pipe."""
        line = (
            f"set -o pipefail; {self.cluster.bin}/pg_basebackup -D - -Ft -X none -c fast"
            f" | zstd -q -1 -T2 | age -r {recipient} -o {to}"
        )
        return run(["bash", "-c", line], self.tools.env)

    def read_only(self) -> Run:
        """pg_basebackup to nowhere: what server and client need alone."""
        return run(
            ["bash", "-c", f"{self.cluster.bin}/pg_basebackup -D - -Ft -X none -c fast >/dev/null"], self.tools.env
        )

    def change(self) -> None:
        """Change the next hundredth of the rows, each a neighbour of the other, and bring it to the disk."""
        part, self._changed = self._changed % 100, self._changed + 1
        changes = sql.SQL(_CHANGE).format(
            accounts=sql.Literal(1_000 * self.scale.pgbench_scale),
            events=sql.Literal(self.scale.events // 100),
            part=sql.Literal(part),
        )
        with psycopg.connect(self.cluster.url(REFERENCE), autocommit=True) as session:
            for statement in changes.as_string().split(";"):
                session.execute(statement.encode())

    def forget(self) -> None:
        """Remove what is stored of it, so that the next base backup is a full one."""
        shutil.rmtree(self.place.stores / APP / self.name / "base-backups", ignore_errors=True)


@contextmanager
def physical(place: Place, major: int, engine: Engine, scale: Scale, watch: Watch) -> Iterator[Physical]:
    """The cluster of that major version, 18 or 15, made once; its WAL is streamed for as long as the context lasts."""
    name = physical_name(major)
    bin = wheel_folder() if major == 18 else DEBIAN_15
    if not (bin / "postgres").exists():
        raise PermanentError(f"{bin}: no server; install postgresql-{major}")
    folder = place.root / name
    config = {**SETTINGS, "wal_keep_size": "1GB"} | ({"summarize_wal": "on"} if major >= 17 else {})
    with watch.doing(f"starting PostgreSQL {major}"):
        cluster = Cluster(folder, bin, config=config, socket_dir=folder / "socket")
    with cluster:
        tools = Tools.of(cluster.bin, Target.parse(cluster.url()), place.files)
        ensure_reference(cluster, tools, scale, watch)
        known = engine.knowing(name, cluster.url(REFERENCE))
        with _streaming(known, name):
            yield Physical(name, cluster, tools, known, place, scale)


def physical_name(major: int) -> str:
    """The environment's name, which is its connection's, too."""
    return f"physical_{major}"


@contextmanager
def _streaming(engine: Engine, name: str) -> Iterator[None]:
    """``holdfast wal stream`` beside what is measured."""
    argv = [sys.executable, "-m", "holdfast", "wal", "stream", str(engine.place.policy), name]
    log = engine.place.files / f"{name}.log"
    with log.open("wb") as out:
        process = subprocess.Popen(
            ["setpriv", "--pdeathsig", "TERM", "--", *argv], env=dict(engine.env), stdout=out, stderr=out
        )
    try:
        _await_stored(engine.place.stores / APP / name / "wal", process, log)
        yield
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(_GRACE_S)
        finally:
            process.kill()


def _await_stored(folder: Path, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + _READY_S
    while not any(folder.rglob("*.age")):
        if process.poll() is not None or time.monotonic() > deadline:
            raise PermanentError(f"holdfast wal stream: stored nothing: {log.read_text(errors='replace')[-2000:]}")
        time.sleep(0.1)


def stored_bytes(done: Run) -> int:
    """How much a base backup has stored."""
    return int(str(facts(done)["bytes"]))

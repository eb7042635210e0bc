"""Recovery of a cluster from a base backup and the WAL of a load, against pgBackRest's restore and replay."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable
from pathlib import Path

import psycopg

from bench.engine import APP, facts, seconds_of
from bench.figures import Figure, Result, Target
from bench.pgbackrest import PgBackRest
from bench.physical import DEBIAN_15, Physical
from bench.running import Run, run
from bench.series import Contender, alternate
from bench.session import Session
from bench.sources import REFERENCE, SETTINGS
from holdfast.recovery.cluster import Cluster

_MAJOR = 15
_CLIENTS = 4
_STORED_S = 120.0


def measure(session: Session) -> Result:
    """Seconds of each, in turn, on a server that pgBackRest's installed version knows; what ours waits and takes."""
    physical = session.physical(_MAJOR)
    peer = PgBackRest.of(session.place, physical)
    physical.forget()
    if peer is not None:
        peer.forget()
        peer.full()
    physical.base_backup("--full")
    segments = _load(physical)
    folder = session.place.root / "recovered"
    contenders = [Contender("holdfast recover --latest", lambda: _ours(physical, folder), _clearing(folder))]
    if peer is not None:
        known = peer
        known.push(segments)
        contenders.append(Contender(f"{known.name} restore, replay", lambda: _theirs(known, folder), _clearing(folder)))
    runs = alternate(contenders, session.rounds, session.watch)
    ours = runs[0]
    waited, replayed = seconds_of(ours, "waited_seconds"), seconds_of(ours, "replay_seconds")
    wal_mb = float(str(facts(ours[-1])["wal_bytes"])) / 1e6
    figures = [
        *(Figure.of(one.name, "s", [done.seconds for done in own]) for one, own in zip(contenders, runs, strict=True)),
        Figure.of("of ours: the base backup", "s", seconds_of(ours, "base_seconds")),
        Figure.of("of ours: the replay", "s", replayed, f"of {wal_mb:.0f} MB of WAL"),
        Figure.of("of the replay: waiting for WAL", "s", waited),
        Figure.of("memory of ours", "MiB", [done.peak_bytes / (1 << 20) for done in ours]),
    ]
    shares = sorted(one / whole for one, whole in zip(waited, replayed, strict=True))
    targets = [
        Target("waiting / replay", shares[len(shares) // 2], 0.10),
        Target("memory", max(done.peak_bytes for done in ours) / (1 << 20), 300, unit="MiB"),
    ]
    if peer is None:
        return Result(tuple(figures), tuple(targets), ("pgBackRest is not installed: nothing is compared with it",))
    targets.append(Target("recovery / pgBackRest", figures[0].median / figures[1].median, 1.0))
    return Result(
        tuple(figures),
        tuple(targets),
        ("pgBackRest: archive-async, 2 processes; its server synchronises what it writes, as servers do",),
    )


def _load(physical: Physical) -> list[Path]:
    """Write WAL, and wait until all of it is stored; returns its segments, which the server keeps."""
    cluster = physical.cluster
    with psycopg.connect(cluster.url(REFERENCE), autocommit=True) as session:
        first = _segment(session)
        count = 250 * physical.scale.pgbench_scale
        run([cluster.bin / "pgbench", "-n", "-c", str(_CLIENTS), "-t", str(count), REFERENCE], physical.tools.env)
        last = _segment(session)
        session.execute("SELECT pg_switch_wal()")
        session.execute("CREATE TABLE IF NOT EXISTS bench_tail (n int)")
    stored = physical.place.stores / APP / physical.name / "wal"
    deadline = time.monotonic() + _STORED_S
    while not list(stored.rglob(f"{last}.zst.age")):
        if time.monotonic() > deadline:
            raise TimeoutError(f"{last}: was not stored in {_STORED_S:g} s")
        time.sleep(0.2)
    names = sorted(path for path in (cluster.data / "pg_wal").iterdir() if len(path.name) == 24)
    return [path for path in names if first[:8] == path.name[:8] and path.name <= last]


def _segment(session: psycopg.Connection[tuple[object, ...]]) -> str:
    row = session.execute("SELECT pg_walfile_name(pg_current_wal_lsn())").fetchone()
    assert row is not None
    return str(row[0])


def _clearing(folder: Path) -> Callable[[], None]:
    return lambda: shutil.rmtree(folder, ignore_errors=True)


def _ours(physical: Physical, folder: Path) -> Run:
    return physical.engine.on(
        "recover", physical.name, "--latest", "--data-dir", str(folder / "data"), watches_memory=True
    )


def _theirs(peer: PgBackRest, folder: Path) -> Run:
    """Restore, then a server that replays to the end, promotes, and is shut down."""
    folder.mkdir(parents=True)
    data = folder / "data"
    restored = peer.restore(data)
    started = time.perf_counter()
    config = {**SETTINGS, "hot_standby": "off", "archive_mode": "off", "recovery_target_timeline": "current"}
    with Cluster(folder, DEBIAN_15, port=None, socket_dir=folder / "s", config=config):
        pass
    return restored.then(Run(time.perf_counter() - started, 0.0))

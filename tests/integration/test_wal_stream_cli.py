"""``holdfast wal stream``: ends quickly and cleanly when it is told to, and only one works at a time."""

from __future__ import annotations

import json
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest

from fix_wal import MakeStreamed, Streamed
from holdfast.recovery.cluster import Cluster
from holdfast.values.lsn import Lsn
from wal_truth import compare_with_server, stored_end


@contextmanager
def streamer(streamed: Streamed, *options: str) -> Iterator[subprocess.Popen[bytes]]:
    """The command, streaming."""
    command = streamed.site.command("wal", "stream", str(streamed.site.policy_file), "production", *options)
    process = subprocess.Popen(
        command, env=streamed.site.surroundings(), stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    try:
        deadline = time.monotonic() + 20
        while not receivers(streamed):
            assert process.poll() is None, process.communicate()
            assert time.monotonic() < deadline
            time.sleep(0.05)
        yield process
    finally:
        process.kill()
        process.communicate()


def receivers(streamed: Streamed) -> list[tuple[object, ...]]:
    """Those that the server sends WAL to for this slot."""
    name = streamed.slot
    return streamed.sql(
        f"SELECT pid FROM pg_stat_replication WHERE application_name LIKE '{name}%' AND state='streaming'"
    )


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_it_quickly_with_everything_stored(
    wal18: Cluster, make_streamed: MakeStreamed, number: signal.Signals
) -> None:
    """What had been committed a moment before is in the store, the report says so, and nothing is left behind."""
    streamed = make_streamed(wal18, wal={"ship_every": "1h"})
    with streamer(streamed, "--json") as process:
        streamed.write(200)
        committed = Lsn.parse(streamed.insert_lsn())
        time.sleep(1.2)
        began = time.monotonic()
        process.send_signal(number)
        out, said = process.communicate(timeout=20)
        assert time.monotonic() - began < 5
    assert process.returncode == 0, said
    report = json.loads(out)
    assert Lsn.parse(report["stored_lsn"]) >= committed
    assert stored_end(streamed) == Lsn.parse(report["stored_lsn"])
    compare_with_server(streamed)
    assert list(streamed.site.scratch.iterdir()) == []
    assert receivers(streamed) == []


def test_a_second_streamer_refuses_and_names_the_first(wal18: Cluster, make_streamed: MakeStreamed) -> None:
    """At once, with exit status 2; the first goes on."""
    streamed = make_streamed(wal18)
    with streamer(streamed) as first:
        elsewhere = streamed.site.folder / "spool"
        began = time.monotonic()
        refused = streamed.site.run(
            "wal", "stream", str(streamed.site.policy_file), "production", "--spool", str(elsewhere), expect=2
        )
        assert time.monotonic() - began < 20
        assert f":{first.pid}".encode() in refused.stderr and b"already being streamed" in refused.stderr
        again = streamed.site.run("wal", "stream", str(streamed.site.policy_file), "production", expect=1)
        assert b"another process of this machine" in again.stderr
        streamed.write(10)
        assert first.poll() is None


def test_after_a_kill_the_next_one_is_let_in(wal18: Cluster, make_streamed: MakeStreamed) -> None:
    """The lock ends with its session, the receiver with its parent."""
    streamed = make_streamed(wal18)
    with streamer(streamed) as first:
        first.kill()
        first.communicate()
        report = streamed.site.json("wal", "stream", str(streamed.site.policy_file), "production", "--seconds", "1")
    assert report["gap"] is None
    deadline = time.monotonic() + 10
    while receivers(streamed):
        assert time.monotonic() < deadline
        time.sleep(0.1)


def test_no_secret_is_in_sight(wal18: Cluster, make_streamed: MakeStreamed, tmp_path: Path) -> None:
    """Neither in the arguments of any process, nor in the spool, which nobody else may enter."""
    streamed, spool = make_streamed(wal18), tmp_path / "spool"
    with streamer(streamed, "--spool", str(spool)):
        secret = psycopg.conninfo.conninfo_to_dict(streamed.site.variables["AIRFLOW_CONN_SHOP_DB"])["password"]
        assert isinstance(secret, str)
        for process in Path("/proc").glob("[0-9]*/cmdline"):
            try:
                assert secret.encode() not in process.read_bytes()
            except OSError:
                continue
        assert spool.stat().st_mode & 0o777 == 0o700
        assert all(secret not in path.name for path in spool.rglob("*"))


def test_a_spool_that_others_may_enter_is_refused(wal18: Cluster, make_streamed: MakeStreamed, tmp_path: Path) -> None:
    """WAL lies there unencrypted."""
    streamed = make_streamed(wal18)
    tmp_path.chmod(0o755)
    (tmp_path / "open").mkdir(mode=0o755)
    said = streamed.site.run(
        *("wal", "stream", str(streamed.site.policy_file), "production", "--seconds", "1"),
        *("--spool", str(tmp_path / "open")),
        expect=1,
    )
    assert b"does not belong to this user alone" in said.stderr

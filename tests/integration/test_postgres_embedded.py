"""The embedded cluster: starts anywhere, survives kills, ends with its owner, and leaves others alone."""

from __future__ import annotations

import os
import pwd
import signal
import subprocess
import sys
import time
from pathlib import Path

import psycopg
import pytest

from fix_postgres import DEBIAN_15, FAST, execute, rows
from holdfast.errors import PermanentError
from holdfast.postgres.wheel import wheel_folder
from holdfast.recovery.account import Account
from holdfast.recovery.cluster import Cluster

CAP_DAC_READ_SEARCH = 1 << 2

# Keeps a cluster up until it is killed itself. What let an ordinary user read a Python that lies below a
# closed home (prctl(2): PR_CAP_AMBIENT, CLEAR_ALL) is not handed on to the server.
OWNER = """\
import ctypes, sys, time
from pathlib import Path
from holdfast.recovery.cluster import Cluster
ctypes.CDLL(None).prctl(47, 4, 0, 0, 0)
with Cluster(Path(sys.argv[1]), Path(sys.argv[2]), config={"fsync": "off"}) as cluster:
    print(cluster.pid, cluster.url(), flush=True)
    time.sleep(1000)
"""


@pytest.fixture(params=["18", "15"])
def bin(request: pytest.FixtureRequest) -> Path:
    """Either server's programs."""
    return {"18": wheel_folder(), "15": DEBIAN_15}[request.param]


def status_of(pid: int) -> dict[str, str]:
    """/proc/PID/status."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return {name: value.strip() for name, _, value in (line.partition(":") for line in lines)}


def is_alive(pid: int) -> bool:
    """Does it run?"""
    try:
        return status_of(pid)["State"][0] != "Z"
    except FileNotFoundError:
        return False


def await_end(pid: int) -> None:
    """Wait until it is gone."""
    deadline = time.monotonic() + 20
    while is_alive(pid):
        assert time.monotonic() < deadline
        time.sleep(0.02)


def own(folder: Path, bin: Path, *prefix: str) -> subprocess.Popen[str]:
    """Another process that keeps a cluster."""
    environment = {"PYTHONPATH": os.pathsep.join(sys.path), "PATH": os.environ["PATH"]}
    argv = [*prefix, sys.executable, "-c", OWNER, str(folder), str(bin)]
    return subprocess.Popen(argv, env=environment, stdout=subprocess.PIPE, text=True)


def test_rows_survive_stop_and_start(tmp_path: Path, bin: Path) -> None:
    """With the same password; the port is chosen anew."""
    cluster = Cluster(tmp_path, bin, config=FAST)
    with cluster:
        url = cluster.create_database('it\'s "ü"')
        execute(url, "CREATE TABLE t AS SELECT 7 AS a")
        pid = cluster.pid
    assert not is_alive(pid)
    assert not (tmp_path / "data" / "postmaster.pid").exists()
    with Cluster(tmp_path, bin, config=FAST) as again:
        assert rows(again.url('it\'s "ü"'), "SELECT a FROM t") == [(7,)]


def test_only_loopback_and_only_with_the_password(tmp_path: Path, bin: Path) -> None:
    """Scram everywhere; the password is a secret file, and in no argument of any process."""
    with Cluster(tmp_path, bin, config=FAST) as cluster:
        assert rows(cluster.url(), "SHOW listen_addresses") == [("127.0.0.1",)]
        assert {method for (method,) in rows(cluster.url(), "SELECT auth_method FROM pg_hba_file_rules")} == {
            "scram-sha-256"
        }
        with pytest.raises(psycopg.OperationalError, match="authentication failed"):
            psycopg.connect(cluster.url(password="wrong"))
        assert (tmp_path / "password").stat().st_mode & 0o777 == 0o600
        command = Path(f"/proc/{cluster.pid}/cmdline").read_bytes()
        assert cluster.password.encode() not in command


def test_killed_server_is_taken_up_again(tmp_path: Path, bin: Path) -> None:
    """Its lock names a process that is no more."""
    cluster = Cluster(tmp_path, bin, config=FAST).start()
    try:
        cluster.kill()
        assert (tmp_path / "data" / "postmaster.pid").exists()
        cluster.start()
        assert rows(cluster.url(), "SELECT 1") == [(1,)]
    finally:
        cluster.stop()


def test_lock_that_names_a_stranger_does_not_matter(tmp_path: Path, bin: Path, pg18: Cluster, pg15: Cluster) -> None:
    """The number went to another cluster's server, which goes on undisturbed."""
    stranger = pg15 if bin == wheel_folder() else pg18
    cluster = Cluster(tmp_path, bin, config=FAST).start()
    try:
        cluster.kill()
        lock = tmp_path / "data" / "postmaster.pid"
        lock.write_text("\n".join([str(stranger.pid), *lock.read_text().split("\n")[1:]]))
        cluster.start()
        assert stranger.is_running()
        assert rows(stranger.url(), "SELECT 1") == [(1,)]
    finally:
        cluster.stop()


def test_killed_initdb_leaves_no_half_cluster(tmp_path: Path, bin: Path) -> None:
    """What it left is made anew."""
    (tmp_path / "data.new").mkdir()
    (tmp_path / "data.new" / "PG_VERSION").write_text("18\n")
    with Cluster(tmp_path, bin, config=FAST) as cluster:
        assert rows(cluster.url(), "SELECT 1") == [(1,)]


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_server_ends_with_its_owner(tmp_path: Path, bin: Path, number: signal.Signals) -> None:
    """By kill -9 too; and the next owner takes it up."""
    with own(tmp_path, bin) as owner:
        assert owner.stdout is not None
        pid = int(owner.stdout.readline().split()[0])
        assert is_alive(pid)
        owner.send_signal(number)
    await_end(pid)
    with Cluster(tmp_path, bin, config=FAST) as cluster:
        assert rows(cluster.url(), "SELECT 1") == [(1,)]


def test_second_owner_is_refused(tmp_path: Path, bin: Path) -> None:
    """While the first is at it."""
    with Cluster(tmp_path, bin, config=FAST) as cluster:
        with pytest.raises(PermanentError, match=f"already running as process {cluster.pid}"):
            Cluster(tmp_path, bin, config=FAST).start()
        assert rows(cluster.url(), "SELECT 1") == [(1,)]


def test_port_in_use_is_told(tmp_path: Path, bin: Path, pg18: Cluster) -> None:
    """The end of the server's own log says why."""
    with pytest.raises(PermanentError, match=r"did not start: .*could not bind"):
        Cluster(tmp_path, bin, port=pg18.port, config=FAST).start()


def test_socket_only(tmp_path: Path, bin: Path) -> None:
    """No TCP at all, and the socket is nobody else's."""
    with Cluster(tmp_path, bin, port=None, config=FAST) as cluster:
        assert rows(cluster.url(), "SHOW listen_addresses") == [("",)]
        assert cluster.socket_dir is not None
        assert cluster.socket_dir.stat().st_mode & 0o777 == 0o700


def test_below_a_closed_home_as_root(tmp_path: Path) -> None:
    """The server's user cannot step through root's closed folders: it gets the one capability for that."""
    closed = tmp_path / "home"
    closed.mkdir(mode=0o700)
    with Cluster(closed / "state", wheel_folder(), config=FAST) as cluster:
        status = status_of(cluster.pid)
        assert int(status["Uid"].split()[0]) != 0
        assert int(status["CapEff"], 16) == CAP_DAC_READ_SEARCH
        assert rows(cluster.url(), "SELECT pg_read_file('PG_VERSION')") == [("18\n",)]
    assert closed.stat().st_mode & 0o777 == 0o700
    assert closed.stat().st_uid == 0


def test_no_capability_without_need(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Where the way is open, none is given."""
    account = Account("nobody", 65534, 65534)
    assert not any("caps" in option for option in account.privileges(Path("/usr/lib/postgresql/15/bin"), Path("/usr")))
    closed = tmp_path_factory.mktemp("closed")
    assert closed.stat().st_mode & 0o077 == 0
    assert "--ambient-caps=+dac_read_search" in account.privileges(closed)
    assert Account(None, 1000, 1000).privileges(closed) == ()


def test_as_an_ordinary_user(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Who needs no other user and no capability."""
    entry = pwd.getpwnam("nobody")
    folder = Path("/var/tmp") / f"holdfast-test-{os.getpid()}"
    folder.mkdir(mode=0o755)
    os.chown(folder, entry.pw_uid, entry.pw_gid)
    prefix = ("setpriv", f"--reuid={entry.pw_uid}", f"--regid={entry.pw_gid}", "--clear-groups",
              "--inh-caps=+dac_read_search", "--ambient-caps=+dac_read_search")  # fmt: skip
    try:
        with own(folder / "state", DEBIAN_15, *prefix) as owner:
            assert owner.stdout is not None
            pid, url = owner.stdout.readline().split()
            status = status_of(int(pid))
            assert int(status["Uid"].split()[0]) == entry.pw_uid
            assert int(status["CapEff"], 16) == 0
            assert rows(url, "SELECT 1") == [(1,)]
            owner.terminate()
        await_end(int(pid))
    finally:
        subprocess.run(["rm", "-r", str(folder)], check=True)

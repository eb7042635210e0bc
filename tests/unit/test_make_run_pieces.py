"""The small pieces of `make run`: secrets, ports, policies, shell file, and what it prints."""

from __future__ import annotations

import contextlib
import json
import os
import socket
import stat
import subprocess
import time
from pathlib import Path

import pytest

from holdfast.errors import PermanentError
from holdfast.recovery.cluster import Cluster
from holdfast.recovery.loopback import unused_port
from holdfast_embedded.airflow.environment import airflow_environment
from holdfast_embedded.airflow.runs import Outcome
from holdfast_embedded.airflow.task_log import error_in, task_log
from holdfast_embedded.demo.connections import demo_connections
from holdfast_embedded.first_round import report
from holdfast_embedded.generated import Secrets
from holdfast_embedded.port_choice import choose_port
from holdfast_embedded.programs import server_programs
from holdfast_embedded.protected import read_policies
from holdfast_embedded.seaweedfs import SeaweedFS
from holdfast_embedded.server import Server, end_all
from holdfast_embedded.shell_file import write_shell_file
from holdfast_embedded.state import State

DAGS = Path(__file__).parents[2] / "dags"
VARIABLES = {"HOLDFAST_KEYS": "/keys", "HOLDFAST_STATE": "/state"}


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_secrets_are_made_once_and_are_private(tmp_path: Path) -> None:
    """The second load finds what the first one made; nobody else can read it."""
    state = State(tmp_path / "state")
    state.prepare()
    first = Secrets.load(state.secrets)
    assert Secrets.load(state.secrets) == first
    assert {mode(path) for path in state.secrets.iterdir()} == {0o600}
    assert [mode(path) for path in (state.secrets, state.keys, state.logs, state.stores)] == [0o700] * 4
    assert len(first.jwt_secret.encode()) >= 64
    assert first.admin_password not in repr(first)


def test_state_is_held_by_one_run(tmp_path: Path) -> None:
    """A second run is told which process has it."""
    state = State(tmp_path)
    with (
        state.locked(),
        pytest.raises(PermanentError, match=rf"another `make run` \(process {os.getpid()}\)"),
        state.locked(),
    ):
        pass
    with state.locked():
        pass


@pytest.mark.parametrize("address", ["127.0.0.1", ""])
def test_port_that_is_taken_is_not_chosen(address: str) -> None:
    """Neither beside a server on loopback nor beside one on all addresses."""
    port = unused_port()
    assert choose_port(port) == port
    with socket.create_server((address, port)):
        assert choose_port(port) != port


def test_port_of_a_moment_ago_is_chosen_again() -> None:
    """Connections that wait for their last packets do not keep the port from us."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        with socket.create_connection(("127.0.0.1", port)):
            server.accept()[0].close()
    assert choose_port(port) == port


def test_example_policies_protect_their_environments() -> None:
    """Each environment of the two applications is backed up by a DAG of its own."""
    protected = read_policies(DAGS, VARIABLES)
    assert protected.faults == ()
    assert [environment.dag_id for environment in protected.environments] == [
        "campustrack-development.nightly",
        "campustrack-staging.nightly",
        "campustrack-production.nightly",
        "coursepedia-production.nightly",
    ]


def test_broken_policy_hides_only_its_own_app(tmp_path: Path) -> None:
    """Its fault is told, as is a policy that Airflow cannot see; inventories are no policies."""
    for name in ("coursepedia.py", "coursepedia.yaml"):
        (tmp_path / name).write_text((DAGS / name).read_text())
    (tmp_path / "broken.py").touch()
    (tmp_path / "broken.yaml").write_text("app: broken\n")
    (tmp_path / "lonely.yaml").write_text("app: lonely\n")
    (tmp_path / "coursepedia.inventory.yaml").write_text("variables: []\n")
    protected = read_policies(tmp_path, VARIABLES)
    assert [environment.title for environment in protected.environments] == ["coursepedia production"]
    broken, lonely = protected.faults
    assert "broken.yaml" in broken
    assert "environments" in broken
    assert "without a module lonely.py" in lonely


def test_shell_file_gives_a_shell_the_same_values(tmp_path: Path) -> None:
    """Whatever stands in them; the shell's PATH keeps what it had."""
    file = tmp_path / "environment.sh"
    password = "a'b \"c$d`e\\"
    environment = {
        "HOLDFAST_STATE": "/a b",
        "HOLDFAST_KEYS": "/k",
        "HOLDFAST_SPOOL": "/s",
        "PATH": "/venv/bin:/usr/bin",
        "OTHER": "no",
    }
    write_shell_file(file, environment, {"AIRFLOW_CONN_X": password}, ["/venv/bin", "/tools/bin"])
    assert mode(file) == 0o600
    printed = subprocess.run(
        ["sh", "-c", '. "$1"; printf "%s\\n" "$HOLDFAST_STATE" "$AIRFLOW_CONN_X" "$PATH"', "sh", str(file)],
        env={"PATH": "/bin"},
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    assert printed.splitlines() == ["/a b", password, "/venv/bin:/tools/bin:/bin"]
    assert "OTHER" not in file.read_text()


def test_airflow_gets_the_callers_connections_and_nothing_that_misleads_it(tmp_path: Path) -> None:
    """Settings of another Airflow, Python or libpq stay out; loopback is never asked through a proxy."""
    caller = {
        "AIRFLOW_CONN_MINE": "postgresql://host/db",
        "AIRFLOW_HOME": "/elsewhere",
        "AIRFLOW__CORE__EXECUTOR": "KubernetesExecutor",
        "PYTHONDONTWRITEBYTECODE": "1",
        "PGHOST": "elsewhere",
        "LANG": "C.UTF-8",
        "http_proxy": "http://proxy",
        "no_proxy": "example.org",
    }
    state = State(tmp_path)
    state.prepare()
    cluster = Cluster(tmp_path / "postgres", Path("bin"), port=5555)
    cluster.folder.mkdir(exist_ok=True)
    (cluster.folder / "password").write_text("unused")
    made = airflow_environment(Path("/project"), state, Secrets.load(state.secrets), cluster, ui_port=99, caller=caller)
    assert made["AIRFLOW_CONN_MINE"] == "postgresql://host/db"
    assert made["LANG"] == "C.UTF-8"
    assert made["AIRFLOW_HOME"] == str(state.airflow_home)
    assert made["AIRFLOW__CORE__EXECUTOR"] == "LocalExecutor"
    assert made["AIRFLOW__API__BASE_URL"] == "http://127.0.0.1:99"
    assert made["no_proxy"] == "example.org,127.0.0.1,localhost"
    assert not {"PYTHONDONTWRITEBYTECODE", "PGHOST"} & set(made)


def test_connection_of_the_callers_wins_over_the_demos(tmp_path: Path) -> None:
    """But not one that a shell still has from an earlier run, whose ports may be gone."""
    secrets = Secrets.load(tmp_path)
    cluster = Cluster(tmp_path / "postgres", Path("bin"), port=5555)
    store = SeaweedFS(tmp_path, port=8333, access_key=secrets.s3_access_key, secret_key=secrets.s3_secret_key)
    made = demo_connections(cluster, store, secrets, {})
    own = {"AIRFLOW_CONN_COURSEPEDIA_PRODUCTION_DB": "postgres://me:pw@db.example.com/shop"}
    replaced = {*own, "AIRFLOW_CONN_COURSEPEDIA_PRODUCTION_OWNER"}
    assert demo_connections(cluster, store, secrets, own) == {name: made[name] for name in made if name not in replaced}
    moved = Cluster(tmp_path / "postgres", Path("bin"), port=6666)
    again = demo_connections(moved, store, secrets, made)
    assert set(again) == set(made)
    assert all(":6666/" in value for name, value in again.items() if name.endswith(("_DB", "_OWNER")))


def test_last_error_of_a_task_is_told_in_one_line(tmp_path: Path) -> None:
    """The exception's words, or the logged ones; lines that are not JSON do not matter."""
    log = task_log(tmp_path, "app-production.nightly", "manual__1", "dump", 2)
    assert error_in(log) == "it left no log"
    log.parent.mkdir(parents=True)
    records = [
        {"level": "error", "event": "an earlier error"},
        {
            "level": "error",
            "event": "Task failed",
            "error_detail": [{"exc_type": "E", "exc_value": "table t:\n refused"}],
        },
        {"level": "info", "event": "the end"},
    ]
    log.write_text("plain text\n" + "\n".join(map(json.dumps, records)) + "\n{half")
    assert error_in(log) == "table t: refused"
    log.write_text(json.dumps(records[0]))
    assert error_in(log) == "an earlier error"


def test_report_shows_every_outcome_and_what_went_wrong() -> None:
    """A row for each environment; failures and faults below, a line each."""
    outcomes = {
        "shop production": Outcome(
            "20261122T020000Z-nightly-4f9c2a",
            1234567,
            1000,
            552,
            3.21,
            restore_check="passed in 2.10 s",
            base_backup="base backup 20261122T020000Z-base_backup-0a1b2c, full, 9.1 MiB stored, WAL up to 0/5000148",
        ),
        "shop development": Outcome("20261122T020000Z-nightly-aaaaaa", 1, 2, None, 1.0),
        "shop staging": Outcome(seconds=1.0, failure="dump: no route; see /log"),
    }
    lines = report(outcomes, ["policy x.yaml: app is missing"]).splitlines()
    assert lines[0].split("  ")[-3:] == ["media files", "seconds", "restore check"]
    id = "20261122T020000Z-nightly-4f9c2a"
    passed = ["passed", "in", "2.10", "s"]
    assert lines[2].split() == ["shop", "production", id, "1,234,567", "1,000", "552", "3.2", *passed]
    assert lines[3].split() == ["shop", "development", "20261122T020000Z-nightly-aaaaaa", "1", "2", "1.0"]
    assert lines[4].split() == ["shop", "staging", "failed", "1.0"]
    assert lines[5].startswith("shop production: base backup 20261122T020000Z-base_backup-0a1b2c, full")
    assert lines[6:] == ["failed: shop staging: dump: no route; see /log", "failed: policy x.yaml: app is missing"]


def test_server_that_ends_by_itself_is_told_with_its_last_words(tmp_path: Path) -> None:
    """Its exit status, the last line of its log, and where the log is; earlier runs' lines do not count."""
    log = tmp_path / "log"
    log.write_text("words of an earlier run\n")
    server = Server("demo", ("sh", "-c", "echo no space left >&2; exit 3"), env=os.environ, cwd=tmp_path, log=log)
    with pytest.raises(PermanentError, match=r"demo ended by itself \(exit status 3\): no space left; see .*log"):
        server.wait()


def test_servers_that_do_not_end_when_asked_are_killed_with_their_children(tmp_path: Path) -> None:
    """All have the same few moments, however many they are."""
    script = f'trap "" TERM; sleep 600 & echo $! > {tmp_path}/child; wait; sleep 600'
    servers = [Server("deaf", ("sh", "-c", script), env=os.environ, cwd=tmp_path, log=tmp_path / "log")]
    while not (child := tmp_path / "child").exists() or not child.read_text():
        servers[0].require()
    end_all(servers, 0.2)
    with pytest.raises(PermanentError, match="killed by signal 9"):
        servers[0].require()
    wait_until_dead(int(child.read_text()))


def wait_until_dead(pid: int) -> None:
    """Orphans are told to end at once, but end when the kernel comes to it, and stay as zombies under some inits."""
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):
            if Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX":
                time.sleep(0.02)
                continue
        return
    pytest.fail(f"process {pid} lives on")


def fake_server(folder: Path, said: str, status: int) -> Path:
    folder.mkdir(parents=True)
    for name in ("postgres", "initdb"):
        (folder / name).write_text(f"#!/bin/sh\necho '{said}' >&2\nexit {status}\n")
        (folder / name).chmod(0o755)
    return folder


def test_server_that_does_not_run_is_passed_over_or_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A shared library is missing: an older server that runs does as well; without any, the reason is told."""
    monkeypatch.setattr("holdfast_embedded.programs.wheel_version", lambda: None)
    with pytest.raises(PermanentError, match="no PostgreSQL server runs here: none is installed"):
        server_programs(tmp_path)
    fake_server(tmp_path / "16/bin", "error while loading shared libraries: libxml2.so.2", 127)
    with pytest.raises(PermanentError, match=r"error while loading shared libraries: libxml2\.so\.2"):
        server_programs(tmp_path)
    runs = fake_server(tmp_path / "9.6/bin", "", 0)
    assert server_programs(tmp_path) == runs
